/** What a client counts of its requests. Mirrors: component-base metrics/prometheus/restclient/metrics.go (names) */
import type { Clock, Counter, Env, Histogram } from "@knarr/base"

const durationBuckets = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60]

export class RequestMetrics {
  readonly #clock: Clock
  /** As the server's address names it, with its port. */
  readonly #host: string
  readonly #total: Counter
  readonly #duration: Histogram

  constructor({ clock, meter }: Pick<Env, "clock" | "meter">, server: string) {
    this.#clock = clock
    this.#host = new URL(server).host
    this.#total = meter.counter({
      name: "rest_client_requests_total",
      help: "Number of HTTP requests, partitioned by status code, method, and host.",
      labels: ["code", "method", "host"],
    })
    this.#duration = meter.histogram({
      name: "rest_client_request_duration_seconds",
      help: "Request latency in seconds. Broken down by verb, and host.",
      labels: ["verb", "host"],
      buckets: durationBuckets,
    })
  }

  /** To be called with the code of the answer once its headers are there, or with `<error>`. */
  begin(method: string): (code: string) => void {
    const startedAt = this.#clock.monotonic()
    return (code) => {
      this.#total.add(1, code, method, this.#host)
      this.#duration.observe((this.#clock.monotonic() - startedAt) / 1000, method, this.#host)
    }
  }
}
