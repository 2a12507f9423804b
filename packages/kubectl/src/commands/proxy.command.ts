/** `kubectl proxy`: the API on a local port, with this user's credentials. Mirrors: kubectl pkg/proxy */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { createTransport, type Transport } from "@knarr/client"
import { Scope, deferred } from "@knarr/base"
import { defineKubectlCommand } from "../command.ts"
import { flag } from "../flags.ts"
import { writeTo } from "./exec.command.ts"

const dropped = new Set([
  "connection",
  "keep-alive",
  "transfer-encoding",
  "upgrade",
  "host",
  "content-length",
  "authorization",
])

export const proxy = defineKubectlCommand({
  name: "proxy",
  summary: "Run a proxy to the Kubernetes API server",
  usage: "[--port=PORT] [--api-prefix=prefix]",
  flags: [
    flag.int("port", {
      short: "p",
      default: "8001",
      help: "The port on which to run the proxy. Set to 0 to pick a random port.",
    }),
    flag.text("address", { default: "127.0.0.1", help: "The IP address on which to serve on." }),
    flag.text("api-prefix", { default: "/", help: "Prefix to serve the proxied API under." }),
    flag.text("accept-hosts", {
      default: "^localhost$,^127\\.0\\.0\\.1$,^\\[::1\\]$",
      help: "Regular expression for hosts that the proxy should accept.",
    }),
    flag.text("reject-paths", {
      default: "^/api/.*/pods/.*/exec,^/api/.*/pods/.*/attach",
      help: "Regular expression for paths that the proxy should reject.",
    }),
  ],
  run: async (ctx) => {
    const { flags } = ctx
    await using scope = new Scope("proxy")
    const transport = scope.use(createTransport((await ctx.factory.context()).transport))
    const patterns = (name: string): RegExp[] =>
      flags
        .text(name)
        .split(",")
        .filter(Boolean)
        .map((text) => new RegExp(text))
    const hosts = patterns("accept-hosts")
    const rejected = patterns("reject-paths")
    const prefix = flags.text("api-prefix").replace(/\/$/, "")
    const server = createServer((request, response) => {
      scope.run(
        "request",
        async () => {
          const host = (request.headers.host ?? "").replace(/:\d+$/, "")
          const url = request.url ?? "/"
          const path = url.split("?")[0]!
          if (!url.startsWith(`${prefix}/`)) return void response.writeHead(404).end("404 page not found\n")
          const allowed = hosts.some((one) => one.test(host)) && !rejected.some((one) => one.test(path))
          if (!allowed)
            return void response.writeHead(403, { "content-type": "text/plain" }).end("Forbidden\n")
          await forward(transport, request, response, url.slice(prefix.length))
        },
        { contained: true },
      )
    })
    scope.defer(() => server.closeAllConnections())
    scope.defer(() => void server.close())
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject)
      server.listen(flags.int("port"), flags.text("address"), resolve)
    })
    const { port } = server.address() as AddressInfo
    ctx.out(`Starting to serve on ${flags.text("address")}:${port}\n`)
    const stopped = deferred()
    ctx.signal.addEventListener("abort", () => stopped.resolve(), { once: true })
    if (ctx.signal.aborted) stopped.resolve()
    await stopped.promise
  },
})

async function forward(
  transport: Transport,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
): Promise<void> {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined && !dropped.has(name))
      headers[name] = Array.isArray(value) ? value.join(", ") : value
  }
  try {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const answer = await transport.request({
      method: request.method ?? "GET",
      path,
      headers,
      body: chunks.length > 0 ? Buffer.concat(chunks) : undefined,
    })
    const back = Object.fromEntries(
      Object.entries(answer.headers).filter(([name]) => !dropped.has(name) || name === "content-length"),
    )
    response.writeHead(answer.status, back)
    for await (const chunk of answer.body) {
      if (response.destroyed) break
      await writeTo(response, chunk)
    }
    response.end()
  } catch (thrown) {
    if (!response.headersSent) response.writeHead(502, { "content-type": "text/plain" })
    response.end(`${(thrown as Error).message}\n`)
  }
}
