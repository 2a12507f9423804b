/**
 * Answers load balancers that ask, on a Service's healthCheckNodePort, whether this node has endpoints of it.
 * Mirrors: pkg/proxy/healthcheck/service_health.go
 */
import { createServer, type Server, type ServerResponse } from "node:http"
import { messageOf, type Scope } from "@knarr/base"
import { keyOf, type HealthCheck, type Refused } from "./service-map.ts"

const maxConnections = 64
const timeoutMs = 5_000

export interface ServiceHealth {
  /** Makes the listeners exactly these; answers what could not be listened on. It is tried again at the next call. */
  sync(checks: readonly HealthCheck[]): Promise<Refused[]>
}

/** `healthy` says whether the proxy itself keeps up. The listeners end with the scope. */
export function createServiceHealth(scope: Scope, healthy: () => boolean): ServiceHealth {
  const open = new Map<string, { readonly server: Server; check: HealthCheck }>()
  const close = (key: string): void => {
    const found = open.get(key)
    if (!found) return
    open.delete(key)
    found.server.close()
    found.server.closeAllConnections()
  }
  scope.defer(() => {
    for (const key of open.keys()) close(key)
  })
  const answer = (key: string, response: ServerResponse): void => {
    const found = open.get(key)
    if (!found) return void response.destroy()
    const { owner, localEndpoints } = found.check
    const good = localEndpoints > 0 && healthy()
    response.writeHead(good ? 200 : 503, {
      "content-type": "application/json",
      "x-content-type-options": "nosniff",
      "x-load-balancing-endpoint-weight": String(localEndpoints),
    })
    const { namespace, name } = owner
    const body = { service: { namespace, name }, localEndpoints, serviceProxyHealthy: healthy() }
    response.end(JSON.stringify(body, undefined, "\t"))
  }
  return {
    async sync(checks) {
      const wanted = new Map(checks.map((check) => [keyOf(check.owner), check]))
      for (const [key, { check }] of open) if (wanted.get(key)?.port !== check.port) close(key)
      const refused: Refused[] = []
      for (const [key, check] of wanted) {
        const found = open.get(key)
        if (found) {
          found.check = check
          continue
        }
        const server = createServer((_request, response) => answer(key, response))
        try {
          await listen(server, check.port)
          // The scope may have ended meanwhile: nobody would close it any more.
          if (scope.signal.aborted) server.close()
          else open.set(key, { server, check })
        } catch (thrown) {
          const reason = `its health check port ${check.port} cannot be listened on: ${messageOf(thrown)}`
          refused.push({ owner: check.owner, reason })
        }
      }
      return refused
    },
  }
}

/** Bounds a server for anybody's requests, and resolves when it listens. */
export async function listen(server: Server, port: number, address = "0.0.0.0"): Promise<void> {
  server.maxConnections = maxConnections
  server.requestTimeout = timeoutMs
  server.headersTimeout = timeoutMs
  server.keepAliveTimeout = timeoutMs
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(port, address, () => {
      server.off("error", reject)
      server.on("error", () => {})
      resolve()
    })
  })
}
