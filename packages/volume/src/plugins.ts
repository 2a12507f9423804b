/** Every volume plugin. */
import { configMapVolume } from "./plugins/config-map.volume.ts"
import { downwardAPIVolume } from "./plugins/downward-api.volume.ts"
import { emptyDirVolume } from "./plugins/empty-dir.volume.ts"
import { hostPathVolume } from "./plugins/host-path.volume.ts"
import { imageVolume } from "./plugins/image.volume.ts"
import { localVolume } from "./plugins/local.volume.ts"
import { projectedVolume } from "./plugins/projected.volume.ts"
import { secretVolume } from "./plugins/secret.volume.ts"
import type { VolumePlugin, VolumeSpec } from "./volume.ts"

export const volumePlugins: readonly VolumePlugin[] = Object.freeze([
  emptyDirVolume,
  hostPathVolume,
  localVolume,
  configMapVolume,
  secretVolume,
  downwardAPIVolume,
  projectedVolume,
  imageVolume,
])

/** What a PersistentVolume has beside its source. */
const noSources: ReadonlySet<string> = new Set(["capacity", "claimRef", "nodeAffinity"])

/** The first of the plugins that takes the volume. Throws when none does. */
export function pluginFor(spec: VolumeSpec, plugins = volumePlugins): VolumePlugin {
  const plugin = plugins.find((candidate) => candidate.canSupport(spec))
  if (!plugin) {
    const source = Object.entries(spec.volume ?? spec.persistentVolume?.spec ?? {}).find(
      ([field, value]) => typeof value === "object" && !Array.isArray(value) && !noSources.has(field),
    )?.[0]
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
