/** What a server tells of its process and its storage. */
import type { Clock } from "@knarr/base"
import type { Registry } from "../registry/registry.ts"
import type { MetricsRegistry } from "./metrics.ts"

/** `process_*` as every Prometheus client names them. */
export function addProcessMetrics(metrics: MetricsRegistry, clock: Clock): void {
  const startedAt = clock.now() / 1000 - process.uptime()
  const single = (name: string, help: string, type: "gauge" | "counter", read: () => number): void =>
    metrics.collect(name, help, type, () => [[{}, read()]])
  single("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", "counter", () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6
  })
  single("process_resident_memory_bytes", "Resident memory size in bytes.", "gauge", () =>
    process.memoryUsage.rss(),
  )
  single(
    "process_start_time_seconds",
    "Start time of the process since unix epoch in seconds.",
    "gauge",
    () => startedAt,
  )
}

/** Objects and watches per resource. */
export function addStorageMetrics(metrics: MetricsRegistry, registry: Registry): void {
  metrics.collect(
    "apiserver_storage_objects",
    "Number of stored objects at the time of last check split by kind.",
    "gauge",
    () =>
      registry.kinds
        .filter((kind) => kind.verbs.includes("list") && !kind.storedAs)
        .map((kind) => [
          { resource: kind.group === "" ? kind.plural : `${kind.plural}.${kind.group}` },
          registry.storage(kind).cache.size,
        ]),
  )
  metrics.collect(
    "apiserver_longrunning_requests",
    "Gauge of all active long-running apiserver requests broken out by verb, group, version, resource, scope and component.",
    "gauge",
    () =>
      registry.kinds
        .filter((kind) => kind.verbs.includes("watch") && !kind.storedAs)
        .map((kind) => [
          {
            verb: "WATCH",
            group: kind.group,
            version: kind.version,
            resource: kind.plural,
            subresource: "",
            scope: "cluster",
            component: "apiserver",
          },
          registry.storage(kind).cache.watchers.size,
        ]),
  )
}
