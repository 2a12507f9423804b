/**
 * The proxy's own health, and what it counts. Mirrors: pkg/proxy/healthcheck/proxy_health.go, pkg/proxy/metrics
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { Node } from "@knarr/api"
import type { IPFamily } from "@knarr/apimachinery"
import type { Clock, Scope } from "@knarr/base"
import { listen } from "./service-health.ts"

/** Healthy while no change waits longer than this. */
const lateMs = 60_000
const portRetryMs = 5_000
const deletionTaint = "ToBeDeletedByClusterAutoscaler"

export class ProxyHealth {
  readonly #family: IPFamily
  readonly #clock: Clock
  readonly #node: () => Readonly<Node> | undefined
  #updatedMs = 0
  #pendingMs: number | undefined
  #pendingSince = 0
  /** Of transactions: how many the kernel refused, and how long those it took lasted, in seconds. */
  #failures = 0
  #syncs = 0
  #syncSeconds = 0
  #flows = 0
  readonly #answers = new Map<string, number>()

  constructor(family: IPFamily, clock: Clock, node: () => Readonly<Node> | undefined) {
    this.#family = family
    this.#clock = clock
    this.#node = node
  }

  /** Something changed that the kernel does not know. */
  queued(): void {
    if (this.#pendingMs !== undefined) return
    this.#pendingMs = this.#clock.now()
    this.#pendingSince = this.#clock.monotonic()
  }

  /** The kernel knows everything that was queued when the synchronisation began, `seconds` ago. */
  updated(seconds: number): void {
    this.#pendingMs = undefined
    this.#updatedMs = this.#clock.now()
    this.#syncs++
    this.#syncSeconds += seconds
  }

  failed(): void {
    this.#failures++
  }

  removedFlows(count: number): void {
    this.#flows += count
  }

  get healthy(): boolean {
    return this.#pendingMs === undefined || this.#clock.monotonic() - this.#pendingSince < lateMs
  }

  /** Not for new connections from outside: the node is being deleted. */
  get #eligible(): boolean {
    const node = this.#node()
    if (!node || node.metadata.deletionTimestamp) return false
    return !(node.spec.taints ?? []).some(({ key }) => key === deletionTaint)
  }

  /** Tells whoever asks at the address. Rejects when the port is taken. */
  async serve(scope: Scope, address: string, port: number): Promise<void> {
    await this.#listen(scope, address, port, (path, response) => this.#answerHealth(path, response))
  }

  /**
   * Tells the metrics on the loopback address alone: pods must not read them. Waits while another node on this machine
   * has the port.
   */
  serveMetrics(scope: Scope, port: number): void {
    const answer = (path: string, response: ServerResponse): void => this.#answerMetrics(path, response)
    const listening = async (signal: AbortSignal): Promise<void> => {
      for (;;) {
        try {
          return await this.#listen(scope, "127.0.0.1", port, answer)
        } catch (thrown) {
          if ((thrown as NodeJS.ErrnoException).code !== "EADDRINUSE") throw thrown
          await this.#clock.sleep(portRetryMs, signal)
        }
      }
    }
    scope.run("metrics", listening, { restart: true })
  }

  async #listen(
    scope: Scope,
    address: string,
    port: number,
    answer: (path: string, response: ServerResponse) => void,
  ): Promise<void> {
    const server = createServer((request: IncomingMessage, response) =>
      answer((request.url ?? "/").split("?")[0]!, response),
    )
    await listen(server, port, address)
    scope.defer(() => {
      server.close()
      server.closeAllConnections()
    })
  }

  #answerHealth(path: string, response: ServerResponse): void {
    if (path !== "/healthz" && path !== "/livez")
      return void response.writeHead(404).end("404 page not found\n")
    const { healthy } = this
    const eligible = this.#eligible
    const good = path === "/livez" ? healthy : healthy && eligible
    const count = `proxy_${path.slice(1)}_total{code="${good ? 200 : 503}"}`
    this.#answers.set(count, (this.#answers.get(count) ?? 0) + 1)
    const updated = new Date(this.#updatedMs).toISOString()
    const body = {
      lastUpdated: good ? new Date(this.#clock.now()).toISOString() : updated,
      currentTime: new Date(this.#clock.now()).toISOString(),
      ...(path === "/healthz" ? { nodeEligible: eligible } : {}),
      healthy,
      status: { [this.#family.name]: { lastUpdated: updated, healthy } },
    }
    response
      .writeHead(good ? 200 : 503, {
        "content-type": "application/json",
        "x-content-type-options": "nosniff",
      })
      .end(JSON.stringify(body))
  }

  #answerMetrics(path: string, response: ServerResponse): void {
    if (path === "/proxyMode") return void response.writeHead(200).end("nftables")
    if (path !== "/metrics") return void response.writeHead(404).end("404 page not found\n")
    const ip = `ip_family="${this.#family.name}"`
    const lines = [
      "# TYPE kubeproxy_sync_proxy_rules_duration_seconds summary",
      `kubeproxy_sync_proxy_rules_duration_seconds_sum{${ip}} ${this.#syncSeconds}`,
      `kubeproxy_sync_proxy_rules_duration_seconds_count{${ip}} ${this.#syncs}`,
      "# TYPE kubeproxy_sync_proxy_rules_last_timestamp_seconds gauge",
      `kubeproxy_sync_proxy_rules_last_timestamp_seconds{${ip}} ${this.#updatedMs / 1000}`,
      "# TYPE kubeproxy_sync_proxy_rules_nftables_sync_failures_total counter",
      `kubeproxy_sync_proxy_rules_nftables_sync_failures_total{${ip}} ${this.#failures}`,
      "# TYPE kubeproxy_conntrack_reconciler_deleted_entries_total counter",
      `kubeproxy_conntrack_reconciler_deleted_entries_total{${ip}} ${this.#flows}`,
      "# TYPE kubeproxy_proxy_healthz_total counter",
      "# TYPE kubeproxy_proxy_livez_total counter",
      ...[...this.#answers].map(([name, count]) => `kubeproxy_${name} ${count}`),
    ]
    response
      .writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" })
      .end(`${lines.join("\n")}\n`)
  }
}
