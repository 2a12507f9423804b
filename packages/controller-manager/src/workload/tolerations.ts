/** Which taints a pod puts up with. Mirrors: component-helpers scheduling/corev1 (ToleratesTaint) */
import type { Node, Taint, Toleration } from "@knarr/api"

export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false
  if (toleration.key && toleration.key !== taint.key) return false
  switch (toleration.operator ?? "Equal") {
    case "":
    case "Equal":
      return (toleration.value ?? "") === (taint.value ?? "")
    case "Exists":
      return true
    case "Lt":
    case "Gt": {
      const wanted = wholeNumber(toleration.value)
      const given = wholeNumber(taint.value)
      if (wanted === undefined || given === undefined) return false
      return toleration.operator === "Lt" ? given < wanted : given > wanted
    }
    default:
      return false
  }
}

function wholeNumber(text: string | undefined): bigint | undefined {
  return text !== undefined && /^(0|-?[1-9]\d*)$/.test(text) ? BigInt(text) : undefined
}

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

export function nodeCondition(node: Node, type: string): { status: string } | undefined {
  return node.status?.conditions?.find((condition) => condition.type === type)
}
