/**
 * Durations and moments as OpenAPI's formats allow them: `1 day`, `2024-01-01T00:00:00`.
 * Mirrors: kube-openapi pkg/validation/strfmt/duration.go, time.go
 */
import { parseDuration, parseTimestamp } from "../run/time.ts"

const second = 1_000_000_000n
/** The last name of a unit also begins longer ones: `minutes`. */
const units: readonly (readonly [nanos: bigint, names: readonly string[]])[] = [
  [1n, ["ns", "nano"]],
  [1000n, ["us", "\u00b5s", "micro"]],
  [1_000_000n, ["ms", "milli"]],
  [second, ["s", "sec"]],
  [60n * second, ["m", "min"]],
  [3600n * second, ["h", "hr", "hour"]],
  [86_400n * second, ["d", "day"]],
  [604_800n * second, ["w", "wk", "week"]],
]
const part = /(\d+)\s*([A-Za-z\u00b5]+)/g

/** Nanoseconds, undefined of what is no duration. */
export function lenientDuration(text: string): bigint | undefined {
  const strict = parseDuration(text)
  if (strict !== undefined) return strict
  let total: bigint | undefined
  for (const [, count, name] of text.matchAll(part)) {
    const digits = count!.replace(/^0+/, "")
    if (digits.length > 19 || BigInt(digits) >= 2n ** 63n) return undefined
    const unit = name!.toLowerCase()
    const known = units.find(([, names]) => names.includes(unit) || unit.startsWith(names.at(-1)!))
    if (known !== undefined) total = (total ?? 0n) + BigInt(digits) * known[0]
  }
  return total === undefined ? undefined : BigInt.asIntN(64, total)
}

/** A moment; without a zone it is in UTC. */
export function lenientTimestamp(text: string): ReturnType<typeof parseTimestamp> {
  const upper = text.toUpperCase()
  return parseTimestamp(upper) ?? parseTimestamp(`${upper}Z`)
}
