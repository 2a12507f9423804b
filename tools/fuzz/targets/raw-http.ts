/**
 * Bytes on the API server's secure port, before and behind TLS: request lines, headers, bodies and HTTP/2 frames of any
 * form. The server answers or ends the connection, and goes on serving others.
 */
import { connect as connectTcp, type Socket } from "node:net"
import { connect as connectTls } from "node:tls"
import { deferred, systemClock } from "@knarr/base"
import { knarrTarget } from "../../diff/servers.ts"
import { ask } from "../servers.ts"
import type { Draw } from "../draw.ts"
import { defineTarget, expect } from "../target.ts"
import { query } from "./api-requests.ts"

interface Input {
  readonly protocol: "tcp" | "http/1.1" | "h2"
  readonly anonymous: boolean
  /** latin1 */
  readonly pieces: readonly string[]
}

const paths = [
  ...[
    "/",
    "/api",
    "/apis",
    "/api/v1",
    "/version",
    "/metrics",
    "/openapi/v2",
    "/openapi/v3",
    "/openapi/v3/api/v1",
    "/livez",
  ],
  ...[
    "/readyz/x",
    "/api/v1/pods",
    "/api/v1/namespaces/default/pods/x/log",
    "/api/v1/namespaces/default/pods/x/exec",
  ],
  ...[
    "/apis/apps/v1/deployments",
    "/apis/apps",
    "/api/v1/nodes/n/proxy/",
    "/api/v1/watch/pods",
    "/api/v1/proxy/nodes/n",
  ],
  ...[
    "/api/v1/namespaces/default/services/https:a:b/proxy/x",
    "/.well-known/openid-configuration",
    "/healthz/ping",
  ],
]
const headers = [
  ...[
    "Accept: application/json",
    "Accept: */*;q=0",
    "Accept-Encoding: gzip",
    "Accept: ;;;,,,",
    "Authorization: Bearer x",
  ],
  ...[
    "Authorization: Basic eDp5",
    "Impersonate-User: bob",
    "Impersonate-Group: g",
    "Impersonate-Extra-a%2fb: c",
  ],
  ...[
    "Impersonate-Uid: 1",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Upgrade: SPDY/3.1",
    "Upgrade: h2c",
    "Host: a",
  ],
  ...[
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Protocol: v5.channel.k8s.io",
  ],
  ...[
    "Sec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io.eA, x",
    "X-Stream-Protocol-Version: v4.channel.k8s.io",
  ],
  ...[
    "Content-Type: application/json",
    "Content-Type: application/yaml; charset=x",
    "Content-Encoding: gzip",
    "Expect: 100-continue",
  ],
  ...[
    "If-None-Match: *",
    "Range: bytes=0-",
    "X-Forwarded-For: 1.2.3.4",
    "Origin: http://x",
    "Transfer-Encoding: chunked",
  ],
  ...[
    "Content-Length: 5",
    "Content-Length: 0",
    "Content-Length: 99999999999",
    "Content-Length: -1",
    "User-Agent: x",
    "Trailer: a",
  ],
]
const bodies = ["{}", "hello", "5\r\nhello\r\n0\r\n\r\n", "ffffffff\r\n", '{"kind":"Pod"}', "0\r\n\r\n"]

function http1(draw: Draw): string {
  const method = draw.pick([
    "GET",
    "GET",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "HEAD",
    "OPTIONS",
    "CONNECT",
    "TRACE",
    "PRI",
    "get",
  ])
  const path = draw.chance(0.3) ? draw.mutate(draw.pick(paths), paths) : draw.pick(paths)
  const lines = [
    `${method} ${path}${query(draw)} HTTP/${draw.chance(0.9) ? "1.1" : draw.pick(["1.0", "2.0", "9", "x"])}`,
    "Host: localhost",
    ...draw.list(8, () => draw.pick(headers)),
    ...(draw.chance(0.2) ? ["Connection: Upgrade", `Upgrade: ${draw.pick(["websocket", "SPDY/3.1"])}`] : []),
  ]
  const text = `${lines.join("\r\n")}\r\n\r\n${draw.chance(0.4) ? draw.pick(bodies) : ""}`
  return Buffer.from(draw.chance(0.5) ? draw.mutate(text, headers) : text, "utf8").toString("latin1")
}

function frame(draw: Draw): string {
  const payload = draw.pick([
    () => draw.bytes(40),
    () => "\0\0\0\0\0",
    () => "\x82\x87\x84\x41\x81\x83",
    () => `\x82\x86\x84\x41\x03abc\x40\x04${draw.name().slice(0, 100)}`,
    () => "",
  ])()
  const length = draw.chance(0.9) ? payload.length : draw.int(70_000)
  const id = draw.pick([0, 1, 1, 3, 5, 2, 0x7fffffff])
  return (
    String.fromCharCode(
      (length >> 16) & 255,
      (length >> 8) & 255,
      length & 255,
      draw.int(11),
      draw.pick([0, 1, 4, 5, 8, 255]),
    ) +
    String.fromCharCode((id >> 24) & 127, (id >> 16) & 255, (id >> 8) & 255, id & 255) +
    payload
  )
}

/** How long a connection that says no more may stay before this end gives it up. */
const patienceMs = 60

export const rawHttp = defineTarget<Input>({
  name: "raw-http",
  quick: 60,
  grows: false,
  async open({ scope, env }) {
    const { port, agent } = await knarrTarget(scope, env.log)
    const { cert, key } = agent.options
    const serve = { host: "127.0.0.1", port, agent, secure: true }
    return {
      generate(draw) {
        const protocol = draw.pick(["http/1.1", "http/1.1", "http/1.1", "h2", "tcp"] as const)
        const piece = protocol === "h2" ? frame : protocol === "tcp" ? (): string => draw.bytes(300) : http1
        const pieces = [piece(draw), ...draw.list(4, () => piece(draw))]
        if (protocol === "h2" && draw.chance(0.9))
          pieces.unshift("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\0\0\0\x04\0\0\0\0\0")
        return { protocol, anonymous: draw.chance(0.3), pieces }
      },
      async check({ protocol, anonymous, pieces }) {
        if (!Array.isArray(pieces)) return
        const address = { host: "127.0.0.1", port }
        const client = anonymous ? {} : { cert, key }
        const socket =
          protocol === "tcp"
            ? connectTcp(address)
            : connectTls({
                ...address,
                ...client,
                rejectUnauthorized: false,
                ALPNProtocols: [String(protocol)],
              })
        const received = await converse(socket, pieces.map(String))
        // What the reference has no better answer for, either.
        const unknown = received.includes(
          "failed to create RequestInfo: unable to determine kind and namespace",
        )
        if (protocol === "http/1.1" && !unknown)
          for (const [, status] of received.matchAll(/^HTTP\/1\.1 (\d+)/gm))
            expect(
              Number(status) < 500 || status === "503" || status === "501" || status === "505",
              `answers ${status}`,
              received.slice(0, 1000),
            )
        const alive = await ask(serve, { method: "GET", path: "/livez" })
        expect(alive?.status === 200, "others are not served any more", alive)
      },
    }
  },
})

/** Sends pieces and waits until the other end closes, or is silent for a while. */
async function converse(socket: Socket, pieces: readonly string[]): Promise<string> {
  const done = deferred()
  let received = ""
  let timer: Disposable | undefined
  const wait = (): void => {
    timer?.[Symbol.dispose]()
    timer = systemClock.timer(patienceMs, done.resolve)
  }
  socket.on("data", (chunk) => {
    if (received.length < 1 << 20) received += chunk.toString("latin1")
    wait()
  })
  for (const event of ["error", "close", "end"]) socket.on(event, () => done.resolve())
  socket.on("connect", () => {
    for (const piece of pieces) socket.write(Buffer.from(piece, "latin1"))
    wait()
  })
  try {
    await done.promise
  } finally {
    timer?.[Symbol.dispose]()
    socket.destroy()
  }
  return received
}
