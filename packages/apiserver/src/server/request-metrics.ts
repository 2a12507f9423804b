/** What is counted about requests. Mirrors: apiserver pkg/endpoints/metrics/metrics.go (names and labels) */
import type { Counter, Histogram, Meter, Scope } from "@knarr/base"
import type { RequestInfo } from "../contract.ts"
import type { ServerExchange } from "./exchange.ts"
import type { InFlight } from "./in-flight.ts"
import { isLongRunning } from "./request-info.ts"

const durationBuckets = [
  0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60,
]
const sizeBuckets = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9]

/**
 * The subresources of the kind that a request asks for; undefined when there is no such kind. Names that nobody serves
 * stay out of the labels, whose number would have no bound.
 */
export type ServedBy = (info: RequestInfo) => Pick<ReadonlySet<string>, "has"> | undefined

export class RequestMetrics {
  readonly #total: Counter
  readonly #duration: Histogram
  readonly #ownDuration: Histogram
  readonly #sizes: Histogram
  readonly #bodies: Histogram
  readonly #validations: Histogram
  readonly #servedBy: ServedBy

  constructor(meter: Meter, scope: Scope, inFlight: InFlight, servedBy: ServedBy) {
    this.#servedBy = servedBy
    const resource = ["group", "version", "resource", "subresource", "scope", "component"]
    this.#total = meter.counter({
      name: "apiserver_request_total",
      help: "Counter of apiserver requests broken out for each verb, dry run value, group, version, resource, scope, component, and HTTP response code.",
      labels: ["verb", "dry_run", ...resource, "code"],
      stability: "STABLE",
    })
    this.#duration = meter.histogram({
      name: "apiserver_request_duration_seconds",
      help: "Response latency distribution in seconds for each verb, dry run value, group, version, resource, subresource, scope and component.",
      labels: ["verb", "dry_run", ...resource],
      buckets: durationBuckets,
      stability: "STABLE",
    })
    this.#ownDuration = meter.histogram({
      name: "apiserver_request_sli_duration_seconds",
      help: "Response latency distribution (not counting webhook duration and priority & fairness queue wait times) in seconds for each verb, group, version, resource, subresource, scope and component.",
      labels: ["verb", ...resource],
      buckets: durationBuckets.slice(2),
    })
    this.#sizes = meter.histogram({
      name: "apiserver_response_sizes",
      help: "Response size distribution in bytes for each group, version, verb, resource, subresource, scope and component.",
      labels: ["verb", ...resource],
      buckets: sizeBuckets,
      stability: "STABLE",
    })
    this.#bodies = meter.histogram({
      name: "apiserver_request_body_size_bytes",
      help: "Apiserver request body size in bytes broken out by resource and verb.",
      labels: ["group", "resource", "verb"],
      buckets: Array.from({ length: 31 }, (_, i) => 50_000 + i * 100_000),
    })
    this.#validations = meter.histogram({
      name: "field_validation_request_duration_seconds",
      help: "Response latency distribution in seconds for each field validation value",
      labels: ["field_validation"],
      buckets: [0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60],
    })
    scope.use(
      meter.collect(
        "gauge",
        {
          name: "apiserver_current_inflight_requests",
          help: "Maximal number of currently used inflight request limit of this apiserver per request kind in last second.",
          labels: ["request_kind"],
          stability: "STABLE",
        },
        () => [
          [["mutating"], inFlight.mutating],
          [["readOnly"], inFlight.reading],
        ],
      ),
    )
  }

  finished(exchange: ServerExchange, info: RequestInfo, seconds: number): void {
    const subresources = info.isResourceRequest ? this.#servedBy(info) : undefined
    const served =
      !info.isResourceRequest ||
      (subresources !== undefined && (info.subresource === "" || subresources.has(info.subresource)))
    const verb = verbLabel(exchange.method, info)
    const { apiGroup, apiVersion, resource, subresource } = served ? info : unknown
    const scope = scopeOf(info)
    const dryRun = info.isResourceRequest && exchange.search.includes("dryRun=All") ? "All" : ""
    const code = String(exchange.status)
    this.#total.add(1, verb, dryRun, apiGroup, apiVersion, resource, subresource, scope, "apiserver", code)
    if (isLongRunning(info)) return
    this.#duration.observe(
      seconds,
      verb,
      dryRun,
      apiGroup,
      apiVersion,
      resource,
      subresource,
      scope,
      "apiserver",
    )
    if (info.isResourceRequest && writes.has(info.verb)) {
      const { search } = exchange
      const asked = search.includes("fieldValidation=")
        ? validationLabel(new URLSearchParams(search).getAll("fieldValidation"))
        : ""
      this.#validations.observe(seconds, asked)
      if (served) this.#bodies.observe(exchange.bodyBytes, apiGroup, resource, info.verb)
    }
    // There are no webhooks, and no queues, whose time would not count.
    this.#ownDuration.observe(seconds, verb, apiGroup, apiVersion, resource, subresource, scope, "apiserver")
    if (info.isResourceRequest && (info.verb === "get" || info.verb === "list"))
      this.#sizes.observe(
        exchange.sentBytes,
        verb,
        apiGroup,
        apiVersion,
        resource,
        subresource,
        scope,
        "apiserver",
      )
  }
}

/** What has a body that is an object or a patch. */
const writes: ReadonlySet<string> = new Set(["create", "update", "patch"])

function validationLabel(given: readonly string[]): string {
  const [value = ""] = given
  if (given.length !== 1) return given.length === 0 ? "" : "invalid"
  return ["", "Ignore", "Warn", "Strict"].includes(value) ? value : "invalid"
}

const unknown = { apiGroup: "", apiVersion: "", resource: "", subresource: "" }

function verbLabel(method: string, info: RequestInfo): string {
  if (!info.isResourceRequest) return method === "GET" || method === "HEAD" ? method : known(method)
  switch (info.verb) {
    case "create":
      return "POST"
    case "update":
      return "PUT"
    case "patch":
      return (info.verb as string).toUpperCase()
    case "get":
    case "list":
    case "watch":
    case "delete":
    case "deletecollection":
      return info.verb.toUpperCase()
    default:
      return "other"
  }
}

function known(method: string): string {
  return ["POST", "PUT", "PATCH", "DELETE"].includes(method) ? method : "other"
}

function scopeOf(info: RequestInfo): string {
  if (!info.isResourceRequest) return ""
  if (info.name !== "" || info.verb === "create") return "resource"
  return info.namespace === "" ? "cluster" : "namespace"
}
