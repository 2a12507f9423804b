/** How many volumes and claims there are and are bound. Mirrors: pkg/controller/volume/persistentvolume/metrics/metrics.go */
import { persistentVolume, persistentVolumeClaim } from "@knarr/api"
import { together, type Meter } from "@knarr/base"
import type { Cache } from "@knarr/controller-kit"
import { storageClassNameOf } from "@knarr/pod-rules"
import { countRows } from "../workload/count-rows.ts"
import { pluginOf } from "./provisioners.ts"

/** Counts when somebody asks, until it is disposed. */
export function countVolumes(meter: Meter, cache: Cache): Disposable {
  const gauge = (
    name: string,
    help: string,
    labels: string[],
    rows: () => Iterable<readonly string[]>,
  ): Disposable => countRows(meter, { name: `pv_collector_${name}`, help, labels }, rows)
  const volumes = (isBound: boolean) => (): string[][] =>
    cache
      .list(persistentVolume)
      .filter(({ status }) => (status.phase === "Bound") === isBound)
      .map(({ spec }) => [spec.storageClassName ?? ""])
  const claims = (isBound: boolean) => (): string[][] =>
    cache
      .list(persistentVolumeClaim)
      .filter(({ status }) => (status.phase === "Bound") === isBound)
      .map((claim) => [
        claim.metadata.namespace!,
        storageClassNameOf(claim),
        claim.spec.volumeAttributesClassName ?? "",
      ])
  const all = (): string[][] =>
    cache.list(persistentVolume).map((one) => [pluginOf(one), one.spec.volumeMode ?? "Filesystem"])
  const ofClaim = ["namespace", "storage_class", "volume_attributes_class"]
  const number = "Gauge measuring number of persistent volume"
  return together(
    gauge(
      "total_pv_count",
      "Gauge measuring total number of persistent volumes",
      ["plugin_name", "volume_mode"],
      all,
    ),
    gauge("bound_pv_count", `${number} currently bound`, ["storage_class"], volumes(true)),
    gauge("unbound_pv_count", `${number} currently unbound`, ["storage_class"], volumes(false)),
    gauge("bound_pvc_count", `${number} claim currently bound`, ofClaim, claims(true)),
    gauge("unbound_pvc_count", `${number} claim currently unbound`, ofClaim, claims(false)),
  )
}
