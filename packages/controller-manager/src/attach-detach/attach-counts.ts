/** How many volumes are attached, and wanted where. Mirrors: pkg/controller/volume/attachdetach/metrics */
import { persistentVolume, volumeAttachment } from "@knarr/api"
import { together, type Meter } from "@knarr/base"
import type { Cache } from "@knarr/controller-kit"
import { countRows } from "../workload/count-rows.ts"
import { wantedOn } from "./wanted.ts"

const plugin = (driver: string): string => `kubernetes.io/csi:${driver}`

/** Counts when somebody asks, until it is disposed. */
export function countAttachments(meter: Meter, cache: Cache): Disposable {
  /** Node, plugin and number of pods of each volume of a node. */
  const wanted = (): { nodeName: string; driver: string; pods: number }[] =>
    cache.list(persistentVolume).flatMap((volume) =>
      volume.spec.csi
        ? [...wantedOn(volume, cache)].map(([nodeName, { length }]) => ({
            nodeName,
            driver: volume.spec.csi!.driver,
            pods: length,
          }))
        : [],
    )
  return together(
    countRows(
      meter,
      {
        name: "storage_count_attachable_volumes_in_use",
        help: "Measure number of volumes in use",
        labels: ["node", "volume_plugin"],
      },
      () =>
        wanted().flatMap(({ nodeName, driver, pods }) =>
          Array.from({ length: pods }, () => [nodeName, plugin(driver)]),
        ),
    ),
    countRows(
      meter,
      {
        name: "attachdetach_controller_total_volumes",
        help: "Number of volumes in A/D Controller",
        labels: ["plugin_name", "state"],
      },
      () => [
        ...wanted().map(({ driver }) => [plugin(driver), "desired_state_of_world"]),
        ...cache.list(volumeAttachment).map(({ spec }) => [plugin(spec.attacher), "actual_state_of_world"]),
      ],
    ),
  )
}
