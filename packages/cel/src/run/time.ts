/**
 * Moments and lengths of time: reading, printing and computing with them.
 * Mirrors: cel-go common/types/timestamp.go, duration.go; Go time
 */
import { goNanoseconds } from "@knarr/apimachinery"
import { CelError, Duration, Timestamp, isInt, noSuchOverload, toInt, type Value } from "./values.ts"

const minSeconds = -62135596800
const maxSeconds = 253402300799
const billion = 1_000_000_000
const bigBillion = 1_000_000_000n

export const timestampOverflow: CelError = new CelError("timestamp overflow")
const durationOverflow = new CelError("duration overflow")

const inRange = (seconds: number): boolean => seconds >= minSeconds && seconds <= maxSeconds

/** The moment some seconds after 1970, or the error of one out of the years 1 to 9999. */
export function timestampOf(seconds: number, nanos = 0, offset = 0): Value {
  return inRange(seconds) ? new Timestamp(seconds, nanos, offset) : timestampOverflow
}

export function addTime({ seconds, nanos, offset }: Timestamp, more: bigint): Value {
  const total = BigInt(seconds) * bigBillion + BigInt(nanos) + more
  let rest = total % bigBillion
  if (rest < 0n) rest += bigBillion
  return timestampOf(Number((total - rest) / bigBillion), Number(rest), offset)
}

export function subtractTimes(a: Timestamp, b: Timestamp): Value {
  const nanos = BigInt(a.seconds - b.seconds) * bigBillion + BigInt(a.nanos - b.nanos)
  return toInt(nanos) === undefined ? durationOverflow : new Duration(nanos)
}

export function addDuration(a: Duration, b: Duration): Value {
  const nanos = a.nanos + b.nanos
  return toInt(nanos) === undefined ? durationOverflow : new Duration(nanos)
}

export function compareTimes(a: Timestamp, b: Timestamp): number {
  return Math.sign(a.seconds - b.seconds || a.nanos - b.nanos)
}

const rfc3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d?):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([+-])(\d\d):(\d\d))$/

/** What RFC 3339 text says, undefined when it is none. */
export function parseTimestamp(text: string): { seconds: number; nanos: number; offset: number } | undefined {
  const match = rfc3339.exec(text)
  if (match === null) return undefined
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  if (
    month < 1 ||
    month > 12 ||
    day < 1 ||
    day > daysIn(year, month) ||
    hour > 23 ||
    minute > 59 ||
    second > 59
  )
    return undefined
  const [offsetHours, offsetMinutes] = [Number(match[9] ?? 0), Number(match[10] ?? 0)]
  if (offsetHours > 24 || offsetMinutes > 60) return undefined
  const offset = (offsetHours * 3600 + offsetMinutes * 60) * (match[8] === "-" ? -1 : 1)
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  const seconds = date.getTime() / 1000 + hour * 3600 + minute * 60 + second - offset
  return { seconds, nanos: Number((match[7] ?? "").slice(0, 9).padEnd(9, "0")), offset }
}

function daysIn(year: number, month: number): number {
  if (month !== 2) return [4, 6, 9, 11].includes(month) ? 30 : 31
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28
}

/** As Go's RFC3339Nano. */
export function formatTimestamp({ seconds, nanos, offset }: Timestamp): string {
  const text = new Date((seconds + offset) * 1000)
    .toISOString()
    .replace(/^\+0*(\d{4,})-/, "$1-")
    .slice(0, -5)
  const fraction = nanos === 0 ? "" : `.${String(nanos).padStart(9, "0").replace(/0+$/, "")}`
  if (offset === 0) return `${text}${fraction}Z`
  const minutes = Math.trunc(Math.abs(offset) / 60)
  const two = (value: number): string => String(value).padStart(2, "0")
  return `${text}${fraction}${offset < 0 ? "-" : "+"}${two(Math.trunc(minutes / 60))}:${two(minutes % 60)}`
}

/** The nanoseconds of Go's text for a length of time, undefined when it is none. */
export function parseDuration(text: string): bigint | undefined {
  const nanos = goNanoseconds(text)
  return typeof nanos === "bigint" ? nanos : undefined
}

/** Seconds as a number prints them: `90s`, `1.5s`. */
export function formatDuration({ nanos }: Duration): string {
  return `${plainDecimal(Number(nanos / bigBillion) + Number(nanos % bigBillion) / billion)}s`
}

/** A number without an exponent. */
export function plainDecimal(value: number): string {
  const text = String(value)
  const match = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text)
  if (match === null) return text
  const digits = match[2]! + (match[3] ?? "")
  const exponent = Number(match[4])
  if (exponent < 0) return `${match[1]}0.${"0".repeat(-exponent - 1)}${digits}`
  return match[1]! + digits.padEnd(exponent + 1, "0")
}

type Part = (date: Date, nanos: number) => number

/** Parts of a date, by the name of their function. */
const parts: ReadonlyMap<string, Part> = new Map<string, Part>([
  ["getFullYear", (date) => date.getUTCFullYear()],
  ["getMonth", (date) => date.getUTCMonth()],
  ["getDate", (date) => date.getUTCDate()],
  ["getDayOfMonth", (date) => date.getUTCDate() - 1],
  ["getDayOfWeek", (date) => date.getUTCDay()],
  [
    "getDayOfYear",
    (date) => Math.floor((date.getTime() - new Date(date.getTime()).setUTCMonth(0, 1)) / 86_400_000),
  ],
  ["getHours", (date) => date.getUTCHours()],
  ["getMinutes", (date) => date.getUTCMinutes()],
  ["getSeconds", (date) => date.getUTCSeconds()],
  ["getMilliseconds", (_, nanos) => Math.trunc(nanos / 1_000_000)],
])

const durationParts: ReadonlyMap<string, bigint> = new Map([
  ["getHours", 3600n * bigBillion],
  ["getMinutes", 60n * bigBillion],
  ["getSeconds", bigBillion],
  ["getMilliseconds", 1_000_000n],
])

/** `t.getHours()`, `t.getHours("Europe/Berlin")`, `d.getMinutes()`. */
export function timePart(name: string, value: Value, zone?: Value): Value {
  if (value instanceof Duration) {
    const unit = zone === undefined ? durationParts.get(name) : undefined
    return unit === undefined ? noSuchOverload : toInt(value.nanos / unit)!
  }
  if (!(value instanceof Timestamp)) return noSuchOverload
  const offset =
    zone === undefined ? 0 : typeof zone === "string" ? zoneOffset(zone, value.seconds) : noSuchOverload
  if (offset instanceof CelError) return offset
  return parts.get(name)!(new Date((value.seconds + offset) * 1000), value.nanos)
}

function atoi(text: string): number | CelError {
  if (/^[+-]?\d{1,18}$/.test(text)) return Number(text)
  return new CelError(`strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`)
}

/** Seconds east of UTC in a zone at a moment. */
function zoneOffset(zone: string, seconds: number): number | CelError {
  const colon = zone.indexOf(":")
  if (colon < 0) return namedZone(zone, seconds)
  const hours = atoi(zone.slice(0, colon))
  if (!isInt(hours)) return hours
  const minutes = atoi(zone.slice(colon + 1))
  if (!isInt(minutes)) return minutes
  return (zone.startsWith("-") ? hours * 60 - minutes : hours * 60 + minutes) * 60
}

const formats = new Map<string, Intl.DateTimeFormat>()
const maxFormats = 64

function namedZone(zone: string, seconds: number): number | CelError {
  if (zone === "" || zone === "UTC") return 0
  let format = formats.get(zone)
  if (format === undefined) {
    const unknown = new CelError(`unknown time zone ${zone}`)
    if (!/^[A-Za-z][A-Za-z0-9_+\-/]*$/.test(zone)) return unknown
    try {
      format = new Intl.DateTimeFormat("en-US", {
        timeZone: zone,
        hourCycle: "h23",
        year: "numeric",
        month: "numeric",
        day: "numeric",
        hour: "numeric",
        minute: "numeric",
        second: "numeric",
        era: "short",
      })
    } catch {
      return unknown
    }
    if (formats.size >= maxFormats) formats.clear()
    formats.set(zone, format)
  }
  const at: Record<string, string> = {}
  for (const { type, value } of format.formatToParts(new Date(seconds * 1000))) at[type] = value
  const date = new Date(0)
  date.setUTCFullYear(
    at["era"] === "BC" ? 1 - Number(at["year"]) : Number(at["year"]),
    Number(at["month"]) - 1,
    Number(at["day"]),
  )
  return (
    date.getTime() / 1000 +
    Number(at["hour"]) * 3600 +
    Number(at["minute"]) * 60 +
    Number(at["second"]) -
    seconds
  )
}
