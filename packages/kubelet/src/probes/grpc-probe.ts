/**
 * Asks a container's gRPC health service (grpc.health.v1) over HTTP/2 without TLS. One message either way, so the
 * protocol is written by hand here.
 * Mirrors: pkg/probe/grpc/grpc.go
 */
import type { Clock } from "@knarr/base"
import { formatGoDuration, goQuote } from "@knarr/apimachinery"
import type { ClientHttp2Session, IncomingHttpHeaders } from "node:http2"
import { withDeadline } from "./deadline.ts"
import { isRefused, joinHostPort } from "./network-error.ts"
import type { ProbeAnswer } from "./probe-network.ts"

export interface GrpcProbeTarget {
  readonly host: string
  readonly port: number
  readonly service: string
}

const servingStatuses = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"]
const maxMessageBytes = 64 * 1024
const codes = { deadlineExceeded: 4, unimplemented: 12 }
const codeNames: readonly string[] = [
  "OK",
  "Canceled",
  "Unknown",
  "InvalidArgument",
  "DeadlineExceeded",
  "NotFound",
  "AlreadyExists",
  "PermissionDenied",
  "ResourceExhausted",
  "FailedPrecondition",
  "Aborted",
  "OutOfRange",
  "Unimplemented",
  "Internal",
  "Unavailable",
  "DataLoss",
  "Unauthenticated",
]

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
    const chunks: Buffer[] = []
    let length = 0
    let trailers: IncomingHttpHeaders = {}
    let headers: IncomingHttpHeaders = {}
    stream.on("response", (received) => (headers = received))
    stream.on("trailers", (received) => (trailers = received))
    stream.on("data", (chunk: Buffer) => {
      length += chunk.length
      if (length <= maxMessageBytes) chunks.push(chunk)
    })
    stream.on("error", () => {})
    stream.on("close", () => {
      if (!connected) return
      const code = Number(trailers["grpc-status"] ?? headers["grpc-status"] ?? 2)
      const text = String(trailers["grpc-message"] ?? headers["grpc-message"] ?? "")
      if (code !== 0) return fail(statusText(code, decodeMessage(text), timeout))
      const status = servingStatus(Buffer.concat(chunks))
      if (status === 1) return settle({ result: "success", output: "service healthy" })
      fail(`service unhealthy (responded with ${goQuote(servingStatuses[status] ?? String(status))})`)
    })
    stream.end(healthRequest(target.service))
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
  if (code === codes.unimplemented)
    return `error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${text}`
  if (code === codes.deadlineExceeded) return `timeout: health rpc did not complete within ${timeout}`
  return `error: health rpc probe failed: rpc error: code = ${codeNames[code] ?? `Code(${code})`} desc = ${text}`
}

function decodeMessage(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** A framed HealthCheckRequest: field 1, the service's name. */
function healthRequest(service: string): Buffer {
  const name = Buffer.from(service)
  const message =
    name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a]), varint(name.length), name])
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

/** Field 1 of a framed HealthCheckResponse; 0 (unknown) when it is not there. */
function servingStatus(frame: Buffer): number {
  return frame.length >= 7 && frame[5] === 0x08 ? frame[6]! : 0
}

function varint(value: number): Buffer {
  const out: number[] = []
  for (let left = value; ; left >>>= 7) {
    if (left < 0x80) return Buffer.from([...out, left])
    out.push((left & 0x7f) | 0x80)
  }
}
