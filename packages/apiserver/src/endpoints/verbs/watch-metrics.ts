/** What is counted about watches. Mirrors: apiserver pkg/endpoints/metrics/metrics.go (WatchEvents, WatchEventsSizes, watchListLatencies) */
import type { Counter, Env, Histogram } from "@knarr/base"
import type { RequestInfo } from "../../contract.ts"

/** What one watch counts. */
export interface WatchCounts {
  /** An event of so many bytes goes out. */
  sent(bytes: number): void
  /** All initial events went out. */
  listed(): void
}

export class WatchMetrics {
  readonly #events: Counter
  readonly #sizes: Histogram
  readonly #lists: Histogram

  constructor(meter: Env["meter"]) {
    const labels = ["group", "version", "resource"]
    this.#events = meter.counter({
      name: "apiserver_watch_events_total",
      help: "Number of events sent in watch clients",
      labels,
      stability: "BETA",
    })
    this.#sizes = meter.histogram({
      name: "apiserver_watch_events_sizes",
      help: "Watch event size distribution in bytes",
      labels,
      buckets: Array.from({ length: 8 }, (_, i) => 1024 * 2 ** i),
      stability: "BETA",
    })
    this.#lists = meter.histogram({
      name: "apiserver_watch_list_duration_seconds",
      help: "Response latency distribution in seconds for watch list requests broken by group, version, resource and scope.",
      labels: [...labels, "scope"],
      buckets: [
        0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60, 90, 120, 180,
        300,
      ],
      stability: "BETA",
    })
  }

  /** Of a watch that begins now. */
  begin({ apiGroup, apiVersion, resource, namespace, name }: RequestInfo, clock: Env["clock"]): WatchCounts {
    const startedAt = clock.monotonic()
    const size = this.#sizes.series(apiGroup, apiVersion, resource)
    const scope = name === "" ? (namespace === "" ? "cluster" : "namespace") : "resource"
    return {
      sent: (bytes) => {
        this.#events.add(1, apiGroup, apiVersion, resource)
        size(bytes)
      },
      listed: () =>
        this.#lists.observe((clock.monotonic() - startedAt) / 1000, apiGroup, apiVersion, resource, scope),
    }
  }
}
