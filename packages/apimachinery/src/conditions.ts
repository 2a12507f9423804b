/** The conditions in an object's status. Mirrors: apimachinery pkg/api/meta/conditions.go */
import type { Condition } from "./meta/types.gen.ts"

type Typed = { readonly type: string; readonly status: string }

/** The condition of that type. */
export function findCondition<T extends Typed>(
  conditions: readonly T[] | undefined,
  type: string,
): T | undefined {
  return conditions?.find((condition) => condition.type === type)
}

/** Whether the condition of that type is there and `True`. */
export function isConditionTrue(conditions: readonly Typed[] | undefined, type: string): boolean {
  return findCondition(conditions, type)?.status === "True"
}

/** Whether the condition of that type is there and `False`. */
export function isConditionFalse(conditions: readonly Typed[] | undefined, type: string): boolean {
  return findCondition(conditions, type)?.status === "False"
}

/**
 * Sets a condition in the list (which is changed in place) and says whether anything changed. The time of the
 * transition is that of `condition`, or `nowText` (RFC 3339) when it has none; it moves only when the status does.
 */
export function setCondition(
  conditions: Condition[],
  condition: Omit<Condition, "lastTransitionTime"> & { lastTransitionTime?: string | undefined },
  nowText: string,
): boolean {
  const time = condition.lastTransitionTime || nowText
  const existing = findCondition(conditions, condition.type)
  if (!existing) {
    conditions.push({ ...condition, lastTransitionTime: time })
    return true
  }
  let changed = false
  if (existing.status !== condition.status) {
    existing.status = condition.status
    existing.lastTransitionTime = time
    changed = true
  }
  for (const name of ["reason", "message"] as const) {
    if (existing[name] !== condition[name]) {
      existing[name] = condition[name]
      changed = true
    }
  }
  if ((existing.observedGeneration ?? 0) !== (condition.observedGeneration ?? 0)) {
    if (condition.observedGeneration) existing.observedGeneration = condition.observedGeneration
    else delete existing.observedGeneration
    changed = true
  }
  return changed
}

/** Removes a condition from the list (in place) and says whether it was there. */
export function removeCondition(conditions: { readonly type: string }[], type: string): boolean {
  const before = conditions.length
  for (let i = before - 1; i >= 0; i--) if (conditions[i]!.type === type) conditions.splice(i, 1)
  return conditions.length !== before
}
