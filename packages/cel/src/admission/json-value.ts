/** Values of expressions as JSON has them. Mirrors: cel-go common/types (ConvertToNative to structpb.Value) */
import { stringType } from "../check/types.ts"
import { convert } from "../run/convert.ts"
import { CelList, CelMap, Double, Duration, Timestamp, Uint, typeOfValue, type Value } from "../run/values.ts"

/** Something that an expression can make and JSON cannot say. */
export class NotJSON extends Error {}

/** Whole numbers that a double cannot hold become text. Throws {@link NotJSON}. */
export function jsonValue(value: Value): unknown {
  if (value === null || typeof value === "string" || typeof value === "boolean" || typeof value === "number")
    return value
  if (typeof value === "bigint") return String(value)
  if (value instanceof Double) return value.value
  if (value instanceof Uint) return wholeNumber(value.value)
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64")
  if (value instanceof Timestamp || value instanceof Duration) return convert(value, stringType)
  if (value instanceof CelList) return Array.from({ length: value.size }, (_, i) => jsonValue(value.get(i)))
  if (value instanceof CelMap) return mapValue(value)
  if (isConvertible(value)) return value.toJSONValue()
  throw new NotJSON(`type conversion error from '${typeOfValue(value).name}' to 'JSON'`)
}

interface Convertible {
  toJSONValue(): unknown
}

function isConvertible(value: Value): value is Value & Convertible {
  return typeof value === "object" && value !== null && "toJSONValue" in value
}

function wholeNumber(value: bigint): number | string {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : String(value)
}

function mapValue(map: CelMap): Record<string, unknown> {
  const entries = map.keys().map((key): [string, unknown] => {
    if (typeof key !== "string") throw new NotJSON(`map key of type ${typeOfValue(key).name} is not a string`)
    return [key, jsonValue(map.find(key)!)]
  })
  return Object.fromEntries(entries)
}
