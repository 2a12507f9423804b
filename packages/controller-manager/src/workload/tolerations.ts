/** Which taints a pod puts up with. Mirrors: component-helpers scheduling/corev1 (ToleratesTaint) */
import type { Taint, Toleration } from "@knarr/api"
import { tolerates } from "@knarr/pod-rules"

/** The tolerations that are needed for `taints`, one each; undefined when one of them is not tolerated. */
export function matchingTolerations(
  taints: readonly Taint[],
  tolerations: readonly Toleration[],
): Toleration[] | undefined {
  const used: Toleration[] = []
  for (const taint of taints) {
    const found = tolerations.find((toleration) => tolerates(toleration, taint))
    if (!found) return undefined
    used.push(found)
  }
  return used
}
