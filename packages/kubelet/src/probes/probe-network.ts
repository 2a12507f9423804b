/** How probes reach containers over the network: a real one (this file's makers) or a simulated one. */
import type { ProbeAnswer } from "./probe-answer.ts"
import type { Clock } from "@knarr/base"
import { tcpProbe } from "./tcp-probe.ts"
import { httpProbe, type HttpProbeTarget } from "./http-probe.ts"
import { grpcProbe, type GrpcProbeTarget } from "./grpc-probe.ts"

/** Every call resolves within `timeoutMs`, give or take; it rejects only when the signal is aborted. */
export interface ProbeNetwork {
  http(target: HttpProbeTarget, timeoutMs: number, signal: AbortSignal): Promise<ProbeAnswer>
  tcp(host: string, port: number, timeoutMs: number, signal: AbortSignal): Promise<ProbeAnswer>
  grpc(target: GrpcProbeTarget, timeoutMs: number, signal: AbortSignal): Promise<ProbeAnswer>
}

/** The machine's network. */
export function createHostProbeNetwork(clock: Clock): ProbeNetwork {
  return {
    http: (target, timeoutMs, signal) => httpProbe(clock, target, timeoutMs, signal),
    tcp: (host, port, timeoutMs, signal) => tcpProbe(clock, host, port, timeoutMs, signal),
    grpc: (target, timeoutMs, signal) => grpcProbe(clock, target, timeoutMs, signal),
  }
}

const reached = async (): Promise<ProbeAnswer> => ({ result: "success", output: "" })

/** Where every probe succeeds at once: the network of simulated nodes. */
export const simulatedProbeNetwork: ProbeNetwork = Object.freeze({
  http: reached,
  tcp: reached,
  grpc: reached,
})
