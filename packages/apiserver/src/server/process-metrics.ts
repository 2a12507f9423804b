/** What a server tells of its process and its storage. */
import type { Env, Meter, Scope } from "@knarr/base"
import type { Registry } from "../registry/registry.ts"

/** `process_*` as every Prometheus client names them. */
export function addProcessMetrics({ clock, meter }: Pick<Env, "clock" | "meter">, scope: Scope): void {
  const startedAt = clock.now() / 1000 - process.uptime()
  const single = (type: "gauge" | "counter", name: string, help: string, read: () => number): void =>
    void scope.use(meter.collect(type, { name, help, stability: "STABLE" }, () => [[[], read()]]))
  single("counter", "process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6
  })
  single("gauge", "process_resident_memory_bytes", "Resident memory size in bytes.", () =>
    process.memoryUsage.rss(),
  )
  single(
    "gauge",
    "process_start_time_seconds",
    "Start time of the process since unix epoch in seconds.",
    () => startedAt,
  )
}

/** Objects and watches per resource. */
export function addStorageMetrics(meter: Meter, scope: Scope, registry: Registry): void {
  const storedKinds = (verb: "list" | "watch") =>
    registry.kinds.filter((kind) => kind.verbs.includes(verb) && !kind.storedAs)
  scope.use(
    meter.collect(
      "gauge",
      {
        name: "apiserver_resource_objects",
        help: "Number of stored objects at the time of last check split by kind.",
        labels: ["resource"],
      },
      () =>
        storedKinds("list").map((kind) => [
          [kind.group === "" ? kind.plural : `${kind.plural}.${kind.group}`],
          registry.storage(kind).cache.size,
        ]),
    ),
  )
  scope.use(
    meter.collect(
      "gauge",
      {
        name: "apiserver_longrunning_requests",
        help: "Gauge of all active long-running apiserver requests broken out by verb, group, version, resource, scope and component.",
        labels: ["verb", "group", "version", "resource", "subresource", "scope", "component"],
        stability: "STABLE",
      },
      () =>
        storedKinds("watch").map((kind) => [
          ["WATCH", kind.group, kind.version, kind.plural, "", "cluster", "apiserver"],
          registry.storage(kind).cache.watchers.size,
        ]),
    ),
  )
}
