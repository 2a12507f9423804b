/** Numbers: range of the type, multiples, bounds. Mirrors: kube-openapi pkg/validation/validate (numberValidator, values.go) */
import type { JSONSchemaProps } from "@knarr/api"
import { CheckResult, overall, told, unfit, type Problem } from "./check-result.ts"

const int32 = [-(2 ** 31), 2 ** 31 - 1] as const
const int64 = [-(2 ** 63), 2 ** 63] as const
const maxFloat32 = 3.4028234663852886e38
/** Beyond it JSON numbers are not exact. */
const maxExact = 2 ** 53 - 1

/** Whether Go takes the number for an int64. */
export function isInt64(value: number): boolean {
  return Number.isInteger(value) && value >= int64[0] && value < int64[1]
}

/** Mirrors: go-openapi swag.IsFloat64AJSONInteger */
export function isJsonInteger(value: number): boolean {
  if (!Number.isFinite(value) || Math.abs(value) > maxExact) return false
  const near = Math.trunc(value)
  if (value === near) return true
  const diff = Math.abs(value - near)
  return near !== 0 && diff / Math.max(Math.abs(value), Math.abs(near)) < 1e-9
}

/** A float64 as an int64, as Go converts it. */
function toInt64(value: number): number {
  const near = Math.trunc(value)
  return near >= int64[0] && near < int64[1] ? near : int64[0]
}

/** A float64 as Go's `%v` prints it. */
function text(value: number): string {
  const plain = String(value)
  const exponent = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)))
  if (exponent >= -4 && exponent < 21) return plain.includes("e") ? value.toFixed(0) : plain
  const [digits, power] = value.toExponential().split("e")
  const sign = power![0] === "-" ? "-" : "+"
  return `${digits}e${sign}${power!.replace(/^[+-]/, "").padStart(2, "0")}`
}

export function checkNumber(
  schema: JSONSchemaProps,
  types: readonly string[],
  format: string,
  value: number,
  path: string,
): CheckResult {
  const result = new CheckResult()
  const type = types.length === 1 ? types[0]! : ""
  const range = (one: number, what: string): Problem | undefined => outOfRange(type, format, one, what, path)
  result.add(range(value, "Checked"))
  const isInt = isInt64(value)
  const { multipleOf, minimum, maximum } = schema
  if (multipleOf !== undefined) {
    const problem = range(multipleOf, "MultipleOf")
    result.add(problem)
    result.add(notMultiple(path, value, multipleOf, isInt && !problem))
  }
  if (minimum !== undefined) {
    const problem = range(minimum, "Minimum boundary")
    result.add(problem)
    const bound = isInt && !problem ? toInt64(minimum) : minimum
    const exclusive = schema.exclusiveMinimum === true
    if (exclusive ? value <= bound : value < bound)
      result.add(
        unfit(
          path,
          value,
          exclusive
            ? `should be greater than ${text(bound)}`
            : `should be greater than or equal to ${text(bound)}`,
        ),
      )
  }
  if (maximum !== undefined) {
    const problem = range(maximum, "Maximum boundary")
    result.add(problem)
    const bound = isInt && !problem ? toInt64(maximum) : maximum
    const exclusive = schema.exclusiveMaximum === true
    if (exclusive ? value >= bound : value > bound)
      result.add(
        unfit(
          path,
          value,
          exclusive ? `should be less than ${text(bound)}` : `should be less than or equal to ${text(bound)}`,
        ),
      )
  }
  result.matches++
  return result
}

function notMultiple(path: string, value: number, factor: number, asInt: boolean): Problem | undefined {
  const by = asInt ? toInt64(factor) : factor
  if (by <= 0) {
    return told(path, by, `factor MultipleOf declared for ${path} must be positive: ${text(by)}`)
  }
  const fits = asInt ? value % by === 0 : isJsonInteger(by < 1 ? (1 / by) * value : value / by)
  return fits ? undefined : unfit(path, value, `should be a multiple of ${text(by)}`)
}

function outOfRange(
  type: string,
  format: string,
  value: number,
  what: string,
  path: string,
): Problem | undefined {
  const fits =
    type === "integer"
      ? Number.isInteger(value) &&
        (format === "int32" ? value >= int32[0] && value <= int32[1] : isInt64(value))
      : format !== "float" || type !== "number" || Math.abs(value) <= maxFloat32
  if (fits) return undefined
  const how = format === "" ? "(default format)" : `with format ${format}`
  return overall(`${what} value must be of type ${type} ${how} in ${path}`)
}
