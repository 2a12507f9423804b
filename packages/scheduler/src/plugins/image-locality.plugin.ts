/** Rather nodes that have the pod's images already. Mirrors: plugins/imagelocality */
import { normalizeImageName } from "@knarr/apimachinery"
import type { NodeInfo } from "../cache/node-info.ts"
import { stateKey } from "../framework/cycle-state.ts"
import { definePlugin, maxNodeScore } from "../framework/plugin.ts"

const megabyte = 1024 * 1024
const minBytes = 23 * megabyte
const maxBytesPerContainer = 1000 * megabyte

interface ImageShare {
  readonly name: string
  /** The share of nodes that have it. */
  readonly spread: number
}

const imageShares = stateKey<readonly ImageShare[]>("PreScoreImageLocality")

export const imageLocality = definePlugin({
  name: "ImageLocality",
  create: () => ({
    preScore(state, { spec }, nodes) {
      const shares = [...(spec.initContainers ?? []), ...spec.containers].map(({ image }) => {
        const name = nameOnNodes(image ?? "")
        return { name, spread: nodes.filter((node) => sizeOn(node, name) > 0).length / nodes.length }
      })
      state.write(imageShares, shares)
      return undefined
    },
    score(state, _pod, node) {
      const images = state.read(imageShares)
      let sum = 0
      for (const { name, spread } of images) sum += sizeOn(node, name) * spread
      const max = maxBytesPerContainer * images.length
      const clamped = Math.min(Math.max(sum, minBytes), max)
      return Math.floor((maxNodeScore * (clamped - minBytes)) / (max - minBytes))
    },
  }),
})

/** As nodes report it; a name that is no image's is on no node. */
function nameOnNodes(image: string): string {
  try {
    return normalizeImageName(image)
  } catch {
    return image
  }
}

function sizeOn(node: NodeInfo, name: string): number {
  return node.images.get(name) ?? 0
}
