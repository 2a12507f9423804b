/** Rather nodes that have the pod's images already. Mirrors: plugins/imagelocality */
import { normalizeImageName } from "@knarr/apimachinery"
import type { Pod } from "@knarr/api"
import type { Snapshot } from "../cache/snapshot.ts"
import { stateKey } from "../framework/cycle-state.ts"
import { definePlugin, maxNodeScore } from "../framework/plugin.ts"
import { skip } from "../framework/status.ts"

const megabyte = 1024 * 1024
const minBytes = 23 * megabyte
const maxBytesPerImage = 1000 * megabyte

export const imageLocality = definePlugin({
  name: "ImageLocality",
  weight: 1,
  create: () => ({
    preScore(state, pod) {
      const shares = sharesOf(pod, state.snapshot)
      if (shares.every(({ share }) => share === 0)) return skip
      state.write(imageShares, shares)
      return undefined
    },
    score(state, pod, node) {
      const shares = state.find(imageShares) ?? sharesOf(pod, state.snapshot)
      let sum = 0
      for (const { name, share } of shares) sum += Math.floor((node.images.get(name) ?? 0) * share)
      const max = maxBytesPerImage * shares.length
      const clamped = Math.min(Math.max(sum, minBytes), max)
      return Math.floor((maxNodeScore * (clamped - minBytes)) / (max - minBytes))
    },
  }),
})

interface ImageShare {
  readonly name: string
  /** Of the nodes that have it: an image that few have must not draw all pods to them. */
  readonly share: number
}

const imageShares = stateKey<readonly ImageShare[]>("PreScoreImageLocality")

/** Of containers and volumes, as nodes report them. */
function sharesOf({ spec }: Readonly<Pod>, snapshot: Snapshot): readonly ImageShare[] {
  const { initContainers = [], containers, volumes = [] } = spec
  const written = [
    ...[...initContainers, ...containers].map(({ image }) => image ?? ""),
    ...volumes.flatMap(({ image }) => (image ? [image.reference ?? ""] : [])),
  ]
  return written.map((image) => {
    const name = nameOnNodes(image)
    return { name, share: snapshot.nodesWithImage(name) / snapshot.nodes.length }
  })
}

/** A name that is no image's is on no node. */
function nameOnNodes(image: string): string {
  try {
    return normalizeImageName(image)
  } catch {
    return image
  }
}
