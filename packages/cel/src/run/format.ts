/**
 * Values in messages, as Go prints them.
 * Mirrors: Go fmt's %v of cel-go's values
 */
import { formatDouble } from "./convert.ts"
import { CelType } from "../check/types.ts"
import {
  CelError,
  CelList,
  CelMap,
  Double,
  Duration,
  Optional,
  Timestamp,
  Uint,
  type Value,
} from "./values.ts"

/** How Go calls the type of a value in memory. */
export function goTypeName(value: Value): string {
  if (value === null) return "types.Null"
  if (typeof value === "object")
    return typeof value === "object" && value instanceof Uint8Array
      ? "types.Bytes"
      : (goClasses.get(value.constructor) ?? "types.Object")
  return typeof value === "boolean" ? "types.Bool" : typeof value === "string" ? "types.String" : "types.Int"
}

const goClasses = new Map<unknown, string>([
  [Double, "types.Double"],
  [Uint, "types.Uint"],
  [Timestamp, "types.Timestamp"],
  [Duration, "types.Duration"],
  [Optional, "*types.Optional"],
  [CelType, "*types.Type"],
])

export function shown(value: Value): string {
  if (typeof value === "string") return value
  if (value === null) return "null"
  if (typeof value !== "object") return String(value)
  if (value instanceof Double) return formatDouble(value.value)
  if (value instanceof Uint) return String(value.value)
  if (value instanceof CelError) return value.message
  if (value instanceof CelList)
    return `[${Array.from({ length: value.size }, (_, i) => shown(value.get(i))).join(", ")}]`
  if (value instanceof CelMap)
    return `{${value
      .keys()
      .map((key) => `${shown(key)}: ${shown(value.find(key)!)}`)
      .join(", ")}}`
  if (value instanceof Optional)
    return value.value === undefined ? "optional.none()" : `optional(${shown(value.value)})`
  if (value instanceof Uint8Array) return `[${value.join(" ")}]`
  return String(value)
}
