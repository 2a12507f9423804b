/**
 * Whether a port can be connected to.
 * Mirrors: pkg/probe/tcp/tcp.go
 */
import type { Clock } from "@knarr/base"
import { connect } from "node:net"
import { dialError, isRefused, joinHostPort } from "./network-error.ts"
import type { ProbeAnswer } from "./probe-answer.ts"
import { withDeadline } from "./deadline.ts"

export function tcpProbe(
  clock: Clock,
  host: string,
  port: number,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  const address = joinHostPort(host, port)
  return withDeadline<ProbeAnswer>(clock, timeoutMs, signal, (settle) => {
    const socket = connect({ host, port })
    socket.once("connect", () => settle({ result: "success", output: "" }))
    socket.once("error", (error) =>
      settle({ result: "failure", output: dialError(address, error), refused: isRefused(error) }),
    )
    return {
      stop: () => {
        socket.on("error", () => {})
        socket.resetAndDestroy()
      },
      late: () => ({ result: "failure", output: `dial tcp ${address}: i/o timeout` }),
    }
  })
}
