/**
 * Asks a container's gRPC health service (grpc.health.v1) over HTTP/2 without TLS. One message either way, from one
 * who is not trusted, and a connection of its own for each, since that is what is probed.
 * Mirrors: pkg/probe/grpc/grpc.go
 */
import type { Clock } from "@knarr/base"
import { formatGoDuration, goQuote } from "@knarr/apimachinery"
import {
  createCodec,
  decodeGrpcMessage,
  FrameReader,
  frameMessage,
  grpcCodeName,
  grpcCodes,
} from "@knarr/grpc"
import type { ClientHttp2Session, IncomingHttpHeaders } from "node:http2"
import { withDeadline } from "./deadline.ts"
import { isRefused, joinHostPort } from "./network-error.ts"
import type { ProbeAnswer } from "./probe-answer.ts"

export interface GrpcProbeTarget {
  readonly host: string
  readonly port: number
  readonly service: string
}

const codec = createCodec<{
  HealthCheckRequest: { service: string }
  HealthCheckResponse: { status: string }
}>(
  { HealthCheckRequest: "service:1:string", HealthCheckResponse: "status:1:ServingStatus" },
  { ServingStatus: "UNKNOWN:0 SERVING:1 NOT_SERVING:2 SERVICE_UNKNOWN:3" },
)
const maxMessageBytes = 64 * 1024

export async function grpcProbe(
  clock: Clock,
  target: GrpcProbeTarget,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  const http2 = await import("node:http2")
  const address = joinHostPort(target.host, target.port)
  const timeout = formatGoDuration(timeoutMs)
  return withDeadline<ProbeAnswer>(clock, timeoutMs, signal, (settle) => {
    let connected = false
    const fail = (output: string, refused = false): void => settle({ result: "failure", output, refused })
    const notConnected = (why: string): string =>
      `timeout: failed to connect service ${goQuote(address)} within ${timeout}: ${why}`
    const session: ClientHttp2Session = http2.connect(`http://${address}`)
    session.once("connect", () => (connected = true))
    session.on("error", (error) => {
      if (!connected) return fail(notConnected("context deadline exceeded"), isRefused(error))
      fail(`error: health rpc probe failed: rpc error: code = Unavailable desc = ${error.message}`)
    })
    const stream = session.request({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Check",
      ":authority": address,
      "content-type": "application/grpc",
      "user-agent": "kube-probe/1.37 grpc-knarr",
      te: "trailers",
      "grpc-timeout": `${Math.max(1, Math.round(timeoutMs))}m`,
    })
    const frames = new FrameReader(maxMessageBytes)
    let length = 0
    let trailers: IncomingHttpHeaders = {}
    let headers: IncomingHttpHeaders = {}
    stream.on("response", (received) => (headers = received))
    stream.on("trailers", (received) => (trailers = received))
    stream.on("data", (chunk: Buffer) => {
      length += chunk.length
      if (length <= maxMessageBytes) frames.push(chunk)
    })
    stream.on("error", () => {})
    stream.on("close", () => {
      if (!connected) return
      const code = Number(trailers["grpc-status"] ?? headers["grpc-status"] ?? 2)
      const text = String(trailers["grpc-message"] ?? headers["grpc-message"] ?? "")
      if (code !== 0) return fail(statusText(code, decodeGrpcMessage(text), timeout))
      const status = servingStatus(frames)
      if (status === "SERVING") return settle({ result: "success", output: "service healthy" })
      fail(`service unhealthy (responded with ${goQuote(status)})`)
    })
    stream.end(frameMessage(codec.encode("HealthCheckRequest", { service: target.service })))
    return {
      stop: () => {
        session.on("error", () => {})
        session.destroy()
      },
      late: () => ({
        result: "failure",
        output: connected
          ? `timeout: health rpc did not complete within ${timeout}`
          : notConnected("context deadline exceeded"),
      }),
    }
  })
}

function statusText(code: number, text: string, timeout: string): string {
  if (code === grpcCodes.unimplemented)
    return `error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${text}`
  if (code === grpcCodes.deadlineExceeded) return `timeout: health rpc did not complete within ${timeout}`
  return `error: health rpc probe failed: rpc error: code = ${grpcCodeName(code)} desc = ${text}`
}

/** What the service says of itself; unknown when that cannot be read. */
function servingStatus(frames: FrameReader): string {
  try {
    return codec.decode("HealthCheckResponse", frames.next() ?? Buffer.alloc(0)).status
  } catch {
    return "UNKNOWN"
  }
}
