/** Taints and tolerations. Mirrors: component-helpers scheduling/corev1/helpers.go, api core/v1/toleration.go */
import type { Taint, Toleration } from "@knarr/api"

export type TaintEffect = "NoSchedule" | "PreferNoSchedule" | "NoExecute"

/** Whether one toleration accepts the taint. */
export function tolerates(toleration: Readonly<Toleration>, taint: Readonly<Taint>): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false
  if (toleration.key && toleration.key !== taint.key) return false
  const value = taint.value ?? ""
  switch (toleration.operator || "Equal") {
    case "Exists":
      return true
    case "Equal":
      return Boolean(toleration.key) && (toleration.value ?? "") === value
    case "Lt":
      return (
        isWholeNumber(value) && isWholeNumber(toleration.value) && BigInt(value) < BigInt(toleration.value!)
      )
    case "Gt":
      return (
        isWholeNumber(value) && isWholeNumber(toleration.value) && BigInt(value) > BigInt(toleration.value!)
      )
    default:
      return false
  }
}

function isWholeNumber(text: string | undefined): boolean {
  return text !== undefined && text.length <= 64 && /^(0|-?[1-9]\d*)$/.test(text)
}

/** The first taint with one of the effects that none of the tolerations accepts. */
export function findUntoleratedTaint(
  taints: readonly Readonly<Taint>[] | undefined,
  tolerations: readonly Readonly<Toleration>[] | undefined,
  effects: readonly TaintEffect[],
): Readonly<Taint> | undefined {
  return taints?.find(
    (taint) =>
      effects.includes(taint.effect as TaintEffect) &&
      !tolerations?.some((toleration) => tolerates(toleration, taint)),
  )
}
