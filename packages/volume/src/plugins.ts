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
  if (!plugin) throw new Error("no volume plugin matched")
  return plugin
}

/** The plugin's name as a folder: `kubernetes.io~secret`. */
export function pluginFolder(plugin: VolumePlugin): string {
  return plugin.name.replaceAll("/", "~")
}
