/**
 * A folder or a device of one node, which the administrator has prepared: never made.
 * Mirrors: pkg/volume/local/local.go
 */
import { defineVolume, fsGroupOf, isBlock, type VolumePlugin } from "../volume.ts"

export const localVolume: VolumePlugin = defineVolume({
  name: "kubernetes.io/local-volume",
  canSupport: ({ persistentVolume }) => persistentVolume?.spec.local !== undefined,
  block: true,
  async publish({ pod, spec, host }) {
    const { path } = spec.persistentVolume!.spec.local!
    if (path.split("/").includes("..")) throw new Error(`invalid HostPath \`${path}\`: must not contain '..'`)
    await host.checkHostPath(path, isBlock(spec) ? "" : "Directory")
    if (!isBlock(spec) && !spec.readOnly) {
      const onRootMismatch = pod.spec.securityContext?.fsGroupChangePolicy === "OnRootMismatch"
      await host.setOwnership(path, { fsGroup: fsGroupOf(pod), readOnly: false, onRootMismatch })
    }
    return { hostPath: path, readOnly: false }
  },
  usage: (hostPath, host) => host.usage(hostPath),
})
