/**
 * One probe of one container, whatever its kind.
 * Mirrors: pkg/kubelet/prober/prober.go, pkg/probe/exec/exec.go
 */
import type { Container, Pod, Probe } from "@knarr/api"
import { messageOf } from "@knarr/base"
import { goQuote } from "@knarr/apimachinery"
import { grpcCodes } from "@knarr/grpc"
import { RuntimeError, type ContainerRuntime } from "../runtime/container-runtime.ts"
import type { ProbeNetwork } from "./probe-network.ts"
import type { ProbeAnswer } from "./probe-answer.ts"

export interface ProbeTarget {
  readonly pod: Readonly<Pod>
  readonly container: Readonly<Container>
  readonly containerId: string
  readonly podIP: string
  readonly probe: Readonly<Probe>
}

const maxExecOutputBytes = 10 * 1024

/** Rejects when the probe could not be made: that says nothing about the container. */
export async function runProbe(
  target: ProbeTarget,
  deps: { readonly runtime: ContainerRuntime; readonly network: ProbeNetwork },
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  const { probe, container, podIP } = target
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000
  if (probe.exec) return execProbe(target, deps.runtime, signal)
  if (probe.httpGet) {
    const { scheme = "HTTP", host, path = "/", httpHeaders = [] } = probe.httpGet
    const http = {
      scheme: scheme.toLowerCase() === "https" ? ("https" as const) : ("http" as const),
      host: host || podIP,
      port: resolvePort(probe.httpGet.port, container),
      path,
      headers: httpHeaders,
    }
    return deps.network.http(http, timeoutMs, signal)
  }
  if (probe.tcpSocket) {
    const port = resolvePort(probe.tcpSocket.port, container)
    return deps.network.tcp(probe.tcpSocket.host || podIP, port, timeoutMs, signal)
  }
  if (probe.grpc) {
    const { port, service = "" } = probe.grpc
    return deps.network.grpc({ host: podIP, port, service }, timeoutMs, signal)
  }
  throw new Error("missing probe handler for container")
}

function resolvePort(port: number | string, container: Readonly<Container>): number {
  if (typeof port === "number") return port
  const named = container.ports?.find((candidate) => candidate.name === port)
  const number = named ? named.containerPort : Number(port)
  if (!Number.isInteger(number) || number < 1 || number > 65_535)
    throw new Error(`couldn't find port: ${goQuote(port)}`)
  return number
}

async function execProbe(
  { probe, container, containerId }: ProbeTarget,
  runtime: ContainerRuntime,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  const timeout = probe.timeoutSeconds ?? 1
  const cmd = (probe.exec!.command ?? []).map((word) => expand(word, container))
  try {
    const { exitCode, stdout, stderr } = await runtime.execSync({ containerId, cmd, timeout }, { signal })
    const output = Buffer.concat([stdout, stderr]).subarray(0, maxExecOutputBytes).toString()
    return { result: exitCode === 0 ? "success" : "failure", output }
  } catch (thrown) {
    signal.throwIfAborted()
    if (thrown instanceof RuntimeError && thrown.code === grpcCodes.deadlineExceeded)
      return {
        result: "failure",
        output: `command timed out: ${goQuote(cmd.join(" "))} timed out after ${timeout}s`,
      }
    throw new Error(messageOf(thrown), { cause: thrown })
  }
}

/** `$(NAME)` of the container's plain variables; `$$` is a dollar sign, unknown names stay as they are. */
function expand(text: string, container: Readonly<Container>): string {
  return text.replace(/\$(\$|\(([^)]*)\))/g, (whole, kind: string, name: string | undefined) => {
    if (kind === "$") return "$"
    return container.env?.find((variable) => variable.name === name && !variable.valueFrom)?.value ?? whole
  })
}
