/**
 * A file or folder of the node, whichever node the pod is on.
 * Mirrors: pkg/volume/hostpath/host_path.go
 */
import type { HostPathVolumeSource } from "@knarr/api"
import { defineVolume, type VolumePlugin, type VolumeSpec } from "../volume.ts"

export const hostPathVolume: VolumePlugin = defineVolume({
  name: "kubernetes.io/host-path",
  canSupport: (spec) => sourceOf(spec) !== undefined,
  block: true,
  async publish({ spec, host }) {
    const { path, type = "" } = sourceOf(spec)!
    if (path.split("/").includes("..")) throw new Error(`invalid HostPath \`${path}\`: must not contain '..'`)
    await host.checkHostPath(path, type)
    return { hostPath: path, readOnly: false }
  },
})

function sourceOf({ volume, persistentVolume }: VolumeSpec): HostPathVolumeSource | undefined {
  return volume ? volume.hostPath : persistentVolume?.spec.hostPath
}
