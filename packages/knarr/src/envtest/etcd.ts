/**
 * In the place of etcd, for envtest: says that it is well, and stores nothing, for the API server beside it keeps its
 * objects itself. Mirrors: etcd server/etcdmain/config.go (flags), server/etcdserver/api/etcdhttp/health.go
 */
import { createServer, type Server, type ServerResponse } from "node:http"
import { Scope } from "@knarr/base"
import { untilAborted } from "@knarr/controller-kit"
import { flag } from "@knarr/kubectl"
import { UsageError } from "../cluster-home.ts"
import type { StandIn } from "./stand-in.ts"

const answers: Readonly<Record<string, string>> = {
  "/health": JSON.stringify({ health: "true", reason: "" }),
  "/livez": "ok\n",
  "/readyz": "ok\n",
  "/version": JSON.stringify({ etcdserver: "3.6.0", etcdcluster: "3.6.0", storage: "3.6.0" }),
}

/** Flags that suites give; they say where and how to store. */
const ofNoEffect = [
  ...[
    "name",
    "data-dir",
    "wal-dir",
    "listen-peer-urls",
    "advertise-client-urls",
    "initial-advertise-peer-urls",
  ],
  ...[
    "initial-cluster",
    "initial-cluster-state",
    "initial-cluster-token",
    "log-level",
    "log-outputs",
    "logger",
  ],
  ...["snapshot-count", "heartbeat-interval", "election-timeout", "quota-backend-bytes", "max-txn-ops"],
  ...["max-request-bytes", "auto-compaction-mode", "auto-compaction-retention"],
]

export const etcd: StandIn = Object.freeze<StandIn>({
  name: "etcd",
  flags: [
    flag.text("listen-client-urls", { default: "http://localhost:2379", help: "Where /health is answered." }),
    flag.bool("unsafe-no-fsync", "Nothing is written."),
    ...ofNoEffect.map((name) => flag.text(name, "Of no effect: nothing is stored.")),
  ],
  async run(flags, ctx) {
    await using scope = new Scope("etcd")
    for (const text of flags.text("listen-client-urls").split(",")) {
      const url = URL.canParse(text) ? new URL(text) : undefined
      if (url?.protocol !== "http:")
        throw new UsageError(`--listen-client-urls ${text}: only http:// is served`)
      const server = createServer(({ url: asked = "" }, response) => respond(asked.split("?")[0]!, response))
      await listen(server, Number(url.port), url.hostname.replace(/^\[(.*)\]$/, "$1"))
      scope.defer(() => {
        server.closeAllConnections()
        server.close()
      })
    }
    await untilAborted(ctx.signal)
  },
})

function respond(path: string, response: ServerResponse): void {
  const body = answers[path]
  if (body === undefined) response.writeHead(404)
  response.end(body ?? "404 page not found\n")
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject)
    server.listen(port, host, () => resolve())
  })
}
