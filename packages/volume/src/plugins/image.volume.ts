/**
 * The files of an image, read-only. Its folder has one for each image that the kubelet mounted there when containers
 * started: only then is the image pulled, and only then may it fail.
 * Mirrors: pkg/volume/image/image.go
 */
import { join } from "node:path"
import { defineVolume, type VolumePlugin } from "../volume.ts"

export const imageVolume: VolumePlugin = defineVolume({
  name: "kubernetes.io/image",
  canSupport: ({ volume }) => volume?.image !== undefined,
  async publish({ dir, host }) {
    await host.makeDirectory(dir, 0o750)
    return { hostPath: dir, readOnly: true }
  },
  async unpublish({ dir, host, signal }) {
    for (const image of host.list(dir)) await host.releaseImage(join(dir, image), signal)
  },
})
