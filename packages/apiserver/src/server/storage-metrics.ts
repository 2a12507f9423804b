/** What a server tells of the objects that it keeps. Mirrors: apiserver pkg/storage/etcd3/metrics, pkg/storage/cacher/metrics */
import type { Kind } from "@knarr/apimachinery"
import { asError, type Logger, type Meter, type MetricOptions, type Scope } from "@knarr/base"
import type { Store } from "@knarr/store"
import type { Registry } from "../registry/registry.ts"
import type { WatchCache } from "../registry/watch-cache.ts"

/** Objects, events and watches per resource. */
export function addStorageMetrics(meter: Meter, scope: Scope, registry: Registry): void {
  const storedKinds = (verb: "list" | "watch"): readonly Kind[] =>
    registry.kinds.filter((kind) => kind.verbs.includes(verb) && !kind.storedAs)
  const collect = (
    type: "gauge" | "counter",
    options: Omit<MetricOptions, "labels">,
    verb: "list" | "watch",
    read: (cache: WatchCache) => number,
    shows: (value: number) => boolean = () => true,
  ): void =>
    void scope.use(
      meter.collect(type, { ...options, labels: ["group", "resource"] }, () =>
        storedKinds(verb)
          .map((kind) => [[kind.group, kind.plural], read(registry.storage(kind).cache)] as const)
          .filter(([, value]) => shows(value)),
      ),
    )
  const happened = (value: number): boolean => value > 0
  const failing = "In case of a fetching error, the value will be -1."
  collect(
    "gauge",
    {
      name: "apiserver_resource_objects",
      help: `Number of stored objects at the time of last check split by kind. ${failing}`,
    },
    "list",
    ({ size }) => size,
  )
  collect(
    "gauge",
    {
      name: "apiserver_resource_size_estimate_bytes",
      help: `Estimated size of stored objects in database. Estimate is based on sum of last observed sizes of serialized objects. ${failing}`,
    },
    "list",
    ({ bytes }) => bytes,
  )
  collect(
    "counter",
    {
      name: "apiserver_storage_events_received_total",
      help: "Number of etcd events received split by kind.",
      stability: "BETA",
    },
    "watch",
    ({ received }) => received,
    happened,
  )
  collect(
    "counter",
    {
      name: "apiserver_watch_cache_events_received_total",
      help: "Counter of events received in watch cache broken by resource type.",
    },
    "watch",
    ({ received }) => received,
    happened,
  )
  collect(
    "counter",
    {
      name: "apiserver_watch_cache_events_dispatched_total",
      help: "Counter of events dispatched in watch cache broken by resource type.",
    },
    "watch",
    ({ dispatched }) => dispatched,
    happened,
  )
  collect(
    "counter",
    {
      name: "apiserver_watch_cache_initializations_total",
      help: "Counter of watch cache initializations broken by resource type.",
    },
    "watch",
    ({ loads }) => loads,
    happened,
  )
  collect(
    "gauge",
    {
      name: "apiserver_watch_cache_resource_version",
      help: "Current resource version of watch cache broken by resource type. This is truncated to the 15 least significant digits.",
    },
    "watch",
    ({ changedAt }) => changedAt % 1e15,
  )
  collect(
    "gauge",
    {
      name: "watch_cache_capacity",
      help: "Total capacity of watch cache broken by resource type.",
    },
    "watch",
    ({ historyCapacity }) => historyCapacity,
  )
  scope.use(
    meter.collect(
      "gauge",
      {
        name: "apiserver_longrunning_requests",
        help: "Gauge of all active long-running apiserver requests broken out by verb, group, version, resource, scope and component. Not all requests are tracked this way.",
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

/** Returns what asks the store for its size, before that is told; the last one is told while the store does not answer. */
export function addStoreSize(meter: Meter, store: Store, log: Logger): () => Promise<void> {
  const size = meter.gauge({
    name: "apiserver_storage_size_bytes",
    help: "Size of the storage database file physically allocated in bytes.",
    labels: ["storage_cluster_id"],
    stability: "STABLE",
  })
  return async () => {
    try {
      size.set(await store.size(), "etcd-0")
    } catch (thrown) {
      log.warn("The size of the store is not known", { err: asError(thrown).message })
    }
  }
}
