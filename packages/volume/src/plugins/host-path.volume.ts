/**
 * A file or folder of the node.
 * Mirrors: pkg/volume/hostpath/host_path.go
 */
import { defineVolume, type VolumePlugin } from "../volume.ts"

export const hostPathVolume: VolumePlugin = defineVolume({
  name: "kubernetes.io/host-path",
  source: "hostPath",
  async mount({ volume, host }) {
    const { path, type = "" } = volume.hostPath!
    if (path.split("/").includes("..")) throw new Error(`invalid HostPath \`${path}\`: must not contain '..'`)
    await host.checkHostPath(path, type)
    return { hostPath: path, readOnly: false }
  },
})
