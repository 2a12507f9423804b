/** Lengths of time: for people (`5d3h`) and as Go writes them (`1h2m3.5s`). Mirrors: apimachinery pkg/util/duration, Go time */
import { trimEndOf, tableOf } from "@knarr/base"

const second = 1000
const minute = 60 * second
const hour = 60 * minute

/** An age as `kubectl get` prints it, two or three significant figures: `45s`, `3m20s`, `5d3h`, `2y20d`. */
export function humanDuration(ms: number): string {
  const seconds = Math.trunc(ms / second)
  if (seconds < -1) return "<invalid>"
  if (seconds < 0) return "0s"
  if (seconds < 60 * 2) return `${seconds}s`
  const minutes = Math.trunc(ms / minute)
  if (minutes < 10) return withRest(minutes, "m", seconds % 60, "s")
  if (minutes < 60 * 3) return `${minutes}m`
  const hours = Math.trunc(ms / hour)
  if (hours < 8) return withRest(hours, "h", minutes % 60, "m")
  if (hours < 48) return `${hours}h`
  const days = Math.trunc(hours / 24)
  if (hours < 24 * 8) return withRest(days, "d", hours % 24, "h")
  if (hours < 24 * 365 * 2) return `${days}d`
  const years = Math.trunc(hours / 24 / 365)
  if (hours < 24 * 365 * 8) return withRest(years, "y", days % 365, "d")
  return `${years}y`
}

function withRest(whole: number, unit: string, rest: number, restUnit: string): string {
  return rest === 0 ? `${whole}${unit}` : `${whole}${unit}${rest}${restUnit}`
}

/** An age in one unit: `45s`, `3m`, `5d`. */
export function shortHumanDuration(ms: number): string {
  const seconds = Math.trunc(ms / second)
  if (seconds < -1) return "<invalid>"
  if (seconds < 0) return "0s"
  if (seconds < 60) return `${seconds}s`
  const minutes = Math.trunc(ms / minute)
  if (minutes < 60) return `${minutes}m`
  const hours = Math.trunc(ms / hour)
  if (hours < 24) return `${hours}h`
  if (hours < 24 * 365) return `${Math.trunc(hours / 24)}d`
  return `${Math.trunc(hours / 24 / 365)}y`
}

const unitNanos: Readonly<Record<string, bigint>> = tableOf({
  ns: 1n,
  us: 1_000n,
  "\u00b5s": 1_000n,
  "\u03bcs": 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
})

/** Milliseconds (with a fraction) of a Go duration such as `1h30m`, `-1.5s`. Throws with Go's message. */
export function parseGoDuration(text: string): number {
  const nanos = goNanoseconds(text)
  if (typeof nanos === "string") throw new Error(nanos)
  return Number(nanos) / 1e6
}

/** Nanoseconds of a Go duration, or what Go says is wrong with it. */
export function goNanoseconds(text: string): bigint | string {
  const bad = (what: string): string => `time: ${what} duration ${JSON.stringify(text)}`
  const negative = text.startsWith("-")
  const from = /^[+-]/.test(text) ? 1 : 0
  if (text.length === from) return bad("invalid")
  if (text.length === from + 1 && text[from] === "0") return 0n
  const part = /0*(\d*)(?:(\.)(\d*))?([^.\d]*)/y
  let total = 0n
  for (let at = from; at < text.length; at = part.lastIndex) {
    part.lastIndex = at
    const [all, whole = "", , fraction = "", unit = ""] = part.exec(text)!
    // A dot alone is no number; more digits than these are more than there is room for.
    if (!/^\.?\d/.test(all) || whole.length > 19) return bad("invalid")
    if (unit === "") return bad("missing unit in")
    const nanos = unitNanos[unit]
    if (nanos === undefined) return bad(`unknown unit ${JSON.stringify(unit)} in`)
    total += BigInt(whole) * nanos + fractionOf(fraction, Number(nanos))
    if (total > 2n ** 63n) return bad("invalid")
  }
  if (negative) return -total
  return total < 2n ** 63n ? total : bad("invalid")
}

/** Nanoseconds of what is behind the dot, computed and rounded as Go does. */
function fractionOf(digits: string, unit: number): bigint {
  const significant = digits.replace(/^0+/, "")
  const fits = (length: number): boolean => BigInt(significant.slice(0, length)) <= 2n ** 63n
  const used = significant.slice(0, fits(19) ? 19 : 18)
  const scale = 10 ** (digits.length - significant.length + used.length)
  return BigInt(Math.trunc(Number(used) * (unit / scale)))
}

/** A Go duration as Go prints it: `1h0m0s`, `1.5s`, `300ms`, `0s`. */
export function formatGoDuration(ms: number): string {
  const rounded = BigInt(Math.round(ms * 1e6))
  // The longest that Go knows is none of the numbers.
  const nanos = rounded < 2n ** 63n ? rounded : 2n ** 63n - 1n
  if (nanos === 0n) return "0s"
  const sign = nanos < 0n ? "-" : ""
  const abs = nanos < 0n ? -nanos : nanos
  if (abs < 1_000n) return `${sign}${abs}ns`
  if (abs < 1_000_000n) return `${sign}${decimal(abs, 3)}\u00b5s`
  if (abs < 1_000_000_000n) return `${sign}${decimal(abs, 6)}ms`
  const seconds = abs / 1_000_000_000n
  const minutes = seconds / 60n
  const hours = minutes / 60n
  const tail = `${decimal(abs - minutes * 60_000_000_000n, 9)}s`
  if (hours > 0n) return `${sign}${hours}h${minutes % 60n}m${tail}`
  return minutes > 0n ? `${sign}${minutes}m${tail}` : `${sign}${tail}`
}

function decimal(value: bigint, digits: number): string {
  const text = value.toString().padStart(digits + 1, "0")
  const fraction = trimEndOf(text.slice(-digits), "0")
  const whole = text.slice(0, -digits)
  return fraction === "" ? whole : `${whole}.${fraction}`
}
