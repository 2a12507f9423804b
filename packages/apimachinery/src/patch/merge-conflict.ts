/** Whether two patches of one object disagree. Mirrors: apimachinery pkg/util/mergepatch/util.go */
import { isObject, type JsonObject } from "./json-value.ts"

/**
 * Whether merging `left` and `right` would depend on the order: they hold different values at one place. Throws
 * TypeError for values that JSON does not have.
 */
export function hasConflicts(left: unknown, right: unknown): boolean {
  if (isObject(left)) {
    if (!isObject(right)) return true
    return Object.keys(left).some(
      (key) => Object.hasOwn(right, key) && hasConflicts(left[key], (right as JsonObject)[key]),
    )
  }
  if (Array.isArray(left)) {
    if (!Array.isArray(right) || left.length !== right.length) return true
    return left.some((item, i) => hasConflicts(item, right[i]))
  }
  return left !== right
}
