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

const unitNanos: Readonly<Record<string, number>> = tableOf({
  ns: 1,
  us: 1e3,
  "\u00b5s": 1e3,
  "\u03bcs": 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
})

/** Milliseconds (with a fraction) of a Go duration such as `1h30m`, `-1.5s`. Throws with Go's message. */
export function parseGoDuration(text: string): number {
  const bad = (): Error => new Error(`time: invalid duration ${JSON.stringify(text)}`)
  let rest = text
  let sign = 1
  if (rest[0] === "-" || rest[0] === "+") {
    if (rest[0] === "-") sign = -1
    rest = rest.slice(1)
  }
  if (rest === "0") return 0
  if (rest === "") throw bad()
  let nanos = 0
  while (rest !== "") {
    const number = /^(?:\d+\.?\d*|\.\d+)/.exec(rest)?.[0]
    if (number === undefined) throw bad()
    rest = rest.slice(number.length)
    const unit = /^[^.\d]+/.exec(rest)?.[0]
    if (unit === undefined) throw new Error(`time: missing unit in duration ${JSON.stringify(text)}`)
    rest = rest.slice(unit.length)
    const scale = unitNanos[unit]
    if (scale === undefined) {
      throw new Error(`time: unknown unit ${JSON.stringify(unit)} in duration ${JSON.stringify(text)}`)
    }
    nanos += Number(number) * scale
  }
  if (nanos > 2 ** 63) throw bad()
  return (sign * nanos) / 1e6
}

/** A Go duration as Go prints it: `1h0m0s`, `1.5s`, `300ms`, `0s`. */
export function formatGoDuration(ms: number): string {
  const nanos = BigInt(Math.round(ms * 1e6))
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
