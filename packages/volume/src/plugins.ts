/** Every volume plugin. */
import type { Volume } from "@knarr/api"
import { configMapVolume } from "./plugins/config-map.volume.ts"
import { downwardAPIVolume } from "./plugins/downward-api.volume.ts"
import { emptyDirVolume } from "./plugins/empty-dir.volume.ts"
import { hostPathVolume } from "./plugins/host-path.volume.ts"
import { projectedVolume } from "./plugins/projected.volume.ts"
import { secretVolume } from "./plugins/secret.volume.ts"
import type { VolumePlugin } from "./volume.ts"

export const volumePlugins: readonly VolumePlugin[] = Object.freeze([
  emptyDirVolume,
  hostPathVolume,
  configMapVolume,
  secretVolume,
  downwardAPIVolume,
  projectedVolume,
])

/** The plugin for a pod's volume. Throws when there is none. */
export function pluginFor(volume: Readonly<Volume>): VolumePlugin {
  const plugin = volumePlugins.find((candidate) => volume[candidate.source] !== undefined)
  if (!plugin) {
    const source = Object.keys(volume).find((field) => field !== "name")
    throw new Error(
      `no volume plugin matched${source === undefined ? "" : `: this node has none for "${source}"`}`,
    )
  }
  return plugin
}

/** The plugin's name as a folder: `kubernetes.io~secret`. */
export function pluginFolder(plugin: VolumePlugin): string {
  return plugin.name.replaceAll("/", "~")
}
