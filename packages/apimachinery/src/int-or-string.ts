/** Values that are a number or a percentage. Mirrors: apimachinery pkg/util/intstr */
import { goQuote } from "./go-format.ts"

/** A port by number or name, or an amount by number or percentage. */
export type IntOrString = number | string

/**
 * The amount that `value` means of `total`: a number as it is, a percentage scaled and rounded up or down.
 * Throws an Error in upstream's words for any other text.
 */
export function scaledValueFromIntOrPercent(
  value: IntOrString | undefined | null,
  total: number,
  roundUp: boolean,
): number {
  if (value === undefined || value === null) throw new Error("nil value for IntOrString")
  if (typeof value === "number") return value
  let percent: number
  try {
    percent = readPercent(value)
  } catch (cause) {
    throw new Error(`invalid value for IntOrString: ${(cause as Error).message}`, { cause })
  }
  const product = percent * total
  return roundUp ? Math.ceil(product / 100) : Math.floor(product / 100)
}

function readPercent(text: string): number {
  if (!text.endsWith("%")) throw new Error("invalid type: string is not a percentage")
  const digits = text.slice(0, -1)
  if (!/^[+-]?\d+$/.test(digits)) {
    throw new Error(
      `invalid value ${goQuote(text)}: strconv.Atoi: parsing ${goQuote(digits)}: invalid syntax`,
    )
  }
  return Number(digits)
}

/** `value` as text, as Go's IntOrString.String. */
export function intOrStringText(value: IntOrString): string {
  return typeof value === "number" ? String(value) : value
}

/** `value` as a whole number: text that is none is 0. */
export function intOrStringValue(value: IntOrString): number {
  if (typeof value === "number") return value
  return /^[+-]?\d+$/.test(value) ? Number(value) : 0
}

/** An all-digits text as a number, anything else as it is. Mirrors: intstr.Parse */
export function parseIntOrString(text: string): IntOrString {
  if (!/^[+-]?\d+$/.test(text)) return text
  const value = Number(text)
  return value >= -(2 ** 31) && value < 2 ** 31 ? value : text
}
