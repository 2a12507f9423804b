/** Cron schedules. Pure. Mirrors: github.com/robfig/cron/v3 (ParseStandard), with which Kubernetes reads them */
import { goQuote, parseGoDuration } from "@knarr/apimachinery"
import { tableOf } from "@knarr/base"

export interface Schedule {
  /** The first moment after `afterMs` that the schedule names, or undefined when there is none this year and the next five. */
  next(afterMs: number): number | undefined
}

interface Range {
  readonly min: number
  readonly max: number
  readonly names?: readonly string[]
}

const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
const days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
const ranges: readonly Range[] = [
  { min: 0, max: 59 },
  { min: 0, max: 23 },
  { min: 1, max: 31 },
  { min: 1, max: 12, names: months },
  { min: 0, max: 6, names: days },
]
const macros: Readonly<Record<string, string>> = tableOf({
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
})

/**
 * Reads five fields, a macro or `@every <duration>`; `TZ=…`/`CRON_TZ=…` in front wins over `timeZone`. Throws on
 * what it cannot read, as the reference words it.
 */
export function parseCron(text: string, timeZone = "UTC"): Schedule {
  let spec = text
  if (spec === "") throw new Error("empty spec string")
  if (/^(?:CRON_)?TZ=/.test(spec)) {
    const space = spec.indexOf(" ")
    // What the panic there says.
    if (space < 0) throw new Error("invalid schedule format: runtime error: slice bounds out of range [:-1]")
    timeZone = spec.slice(spec.indexOf("=") + 1, space) || "UTC"
    if (!isTimeZone(timeZone))
      throw new Error(`provided bad location ${timeZone}: unknown time zone ${timeZone}`)
    spec = spec.slice(space).trim()
  }
  if (spec.startsWith("@every ")) return every(spec)
  if (spec.startsWith("@")) {
    const known = macros[spec]
    if (known === undefined) throw new Error(`unrecognized descriptor: ${spec}`)
    spec = known
  }
  const fields = spec.split(/\s+/).filter((field) => field !== "")
  if (fields.length !== 5)
    throw new Error(`expected exactly 5 fields, found ${fields.length}: [${fields.join(" ")}]`)
  const [minutes, hours, monthDays, monthSet, weekDays] = fields.map((field, i) =>
    parseField(field, ranges[i]!),
  ) as [Field, Field, Field, Field, Field]
  const anyDay = monthDays.star || weekDays.star
  const dayMatches = (day: number, weekDay: number): boolean => {
    const a = monthDays.values.has(day)
    const b = weekDays.values.has(weekDay)
    return anyDay ? a && b : a || b
  }
  const parts = { minutes: minutes.values, hours: hours.values, months: monthSet.values, dayMatches }
  return { next: (afterMs) => nextTime(afterMs, timeZone, parts) }
}

interface Field {
  readonly values: ReadonlySet<number>
  /** It says any: `*`, `?` or one of them with a step of 1. A larger step restricts. */
  readonly star: boolean
}

function parseField(field: string, range: Range): Field {
  const values = new Set<number>()
  let star = false
  for (const part of field.split(",")) {
    if (part === "") continue
    const [span, stepText, ...more] = part.split("/")
    const [from, to, ...rest] = span!.split("-")
    let first = range.min
    let last = range.max
    const any = from === "*" || from === "?"
    if (!any) {
      first = parseValue(from!, range)
      if (rest.length > 0) throw new Error(`too many hyphens: ${part}`)
      last = to === undefined ? first : parseValue(to, range)
    }
    if (more.length > 0) throw new Error(`too many slashes: ${part}`)
    const step = stepText === undefined ? 1 : parseNumber(stepText)
    if (stepText !== undefined && to === undefined) last = range.max
    if (first < range.min)
      throw new Error(`beginning of range (${first}) below minimum (${range.min}): ${part}`)
    if (last > range.max) throw new Error(`end of range (${last}) above maximum (${range.max}): ${part}`)
    if (first > last) throw new Error(`beginning of range (${first}) beyond end of range (${last}): ${part}`)
    if (step === 0) throw new Error(`step of range should be a positive number: ${part}`)
    star ||= any && step === 1
    for (let i = first; i <= last; i += step) values.add(i)
  }
  return { values, star }
}

function parseValue(text: string, range: Range): number {
  const named = range.names?.indexOf(text.toLowerCase()) ?? -1
  return named >= 0 ? named + range.min : parseNumber(text)
}

const maxInt = 2n ** 63n

function parseNumber(text: string): number {
  const failed = (why: string): Error =>
    new Error(`failed to parse int from ${text}: strconv.Atoi: parsing ${goQuote(text)}: ${why}`)
  if (!/^[+-]?\d+$/.test(text)) throw failed("invalid syntax")
  if (text.length > 64) throw failed("value out of range")
  const value = BigInt(text.replace("+", ""))
  if (value >= maxInt || value < -maxInt) throw failed("value out of range")
  if (value < 0n) throw new Error(`negative number (${value}) not allowed: ${text}`)
  return Number(value)
}

function every(spec: string): Schedule {
  let ms: number
  try {
    ms = parseGoDuration(spec.slice("@every ".length))
  } catch (thrown) {
    throw new Error(`failed to parse duration ${spec}: ${(thrown as Error).message}`, { cause: thrown })
  }
  const period = Math.max(1000, Math.floor(ms / 1000) * 1000)
  return { next: (afterMs) => Math.floor(afterMs / 1000) * 1000 + period }
}

/** Whether there is a time zone of that name. */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name })
    return true
  } catch {
    return false
  }
}

interface Fields {
  readonly minutes: ReadonlySet<number>
  readonly hours: ReadonlySet<number>
  readonly months: ReadonlySet<number>
  dayMatches(day: number, weekDay: number): boolean
}

const minuteMs = 60_000
const dayMs = 86_400_000

function nextTime(afterMs: number, timeZone: string, fields: Fields): number | undefined {
  const clock = wallClock(timeZone)
  let time = (Math.floor(afterMs / minuteMs) + 1) * minuteMs
  const lastYear = new Date(clock(time)).getUTCFullYear() + 5
  for (;;) {
    const wall = clock(time)
    const date = new Date(wall)
    if (date.getUTCFullYear() > lastYear) return undefined
    if (
      !fields.months.has(date.getUTCMonth() + 1) ||
      !fields.dayMatches(date.getUTCDate(), date.getUTCDay())
    ) {
      time = skip(time, wall, dayMs, clock)
    } else if (!fields.hours.has(date.getUTCHours())) time = skip(time, wall, 3_600_000, clock)
    else if (!fields.minutes.has(date.getUTCMinutes())) time += minuteMs
    else return time
  }
}

/** The start of the next day or hour by the wall clock, which may jump in between. */
function skip(time: number, wall: number, unit: number, clock: (ms: number) => number): number {
  const next = time + unit - (wall % unit)
  const past = clock(next) % unit
  // A jump moved the wall clock past the start of the unit, or not quite to it.
  if (past === 0) return next
  return past <= unit / 2 && next - past > time ? next - past : next
}

/** Milliseconds that a wall clock in the zone shows, as if it were UTC. Throws when there is no such zone. */
function wallClock(timeZone: string): (ms: number) => number {
  if (timeZone === "UTC" || timeZone === "Etc/UTC") return (ms) => ms
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  })
  return (ms) => {
    const part: Record<string, number> = {}
    for (const { type, value } of format.formatToParts(ms)) part[type] = Number(value)
    return Date.UTC(
      part["year"]!,
      part["month"]! - 1,
      part["day"],
      part["hour"],
      part["minute"],
      part["second"],
    )
  }
}
