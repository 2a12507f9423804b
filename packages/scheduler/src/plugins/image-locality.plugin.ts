/** Rather nodes that have the pod's images already. Mirrors: plugins/imagelocality */
import { normalizeImageName } from "@knarr/apimachinery"
import type { Pod } from "@knarr/api"
import { definePlugin, maxNodeScore } from "../framework/plugin.ts"

const megabyte = 1024 * 1024
const minBytes = 23 * megabyte
const maxBytesPerImage = 1000 * megabyte

export const imageLocality = definePlugin({
  name: "ImageLocality",
  weight: 1,
  create: () => ({
    score(state, pod, node) {
      const { snapshot } = state
      const images = imagesOf(pod)
      let sum = 0
      // An image that few nodes have must not draw all pods to them.
      for (const name of images) {
        const bytes = node.images.get(name)
        if (bytes) sum += Math.floor(bytes * (snapshot.nodesWithImage(name) / snapshot.nodes.length))
      }
      const max = maxBytesPerImage * images.length
      const clamped = Math.min(Math.max(sum, minBytes), max)
      return Math.floor((maxNodeScore * (clamped - minBytes)) / (max - minBytes))
    },
  }),
})

const imagesOfPods = new WeakMap<Readonly<Pod>, readonly string[]>()

/** Of containers and volumes, as nodes report them. */
function imagesOf(pod: Readonly<Pod>): readonly string[] {
  let images = imagesOfPods.get(pod)
  if (!images) {
    const { initContainers = [], containers, volumes = [] } = pod.spec
    const written = [
      ...[...initContainers, ...containers].map(({ image }) => image ?? ""),
      ...volumes.flatMap(({ image }) => (image ? [image.reference ?? ""] : [])),
    ]
    imagesOfPods.set(pod, (images = written.map(nameOnNodes)))
  }
  return images
}

/** A name that is no image's is on no node. */
function nameOnNodes(image: string): string {
  try {
    return normalizeImageName(image)
  } catch {
    return image
  }
}
