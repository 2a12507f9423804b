/** Cron schedules. Pure. Mirrors: github.com/robfig/cron/v3 (ParseStandard), with which Kubernetes reads them */

export interface Schedule {
  /** The first moment after `afterMs` that the schedule names, or undefined when there is none in five years. */
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
const macros: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
}

/** Reads five fields, a macro or `@every <duration>`; `TZ=…`/`CRON_TZ=…` in front wins over `timeZone`. Throws on what it cannot read. */
export function parseCron(text: string, timeZone = "UTC"): Schedule {
  let spec = text.trim()
  const zoned = /^(?:TZ|CRON_TZ)=(\S+)\s+/.exec(spec)
  if (zoned) {
    timeZone = zoned[1]!
    spec = spec.slice(zoned[0].length)
  }
  if (spec.startsWith("@every ")) return every(spec.slice(7))
  if (spec.startsWith("@")) {
    const known = macros[spec.toLowerCase()]
    if (known === undefined) throw new Error(`unrecognized descriptor: ${spec}`)
    spec = known
  }
  const fields = spec.split(/\s+/).filter((field) => field !== "")
  if (fields.length !== 5)
    throw new Error(`expected exactly 5 fields, found ${fields.length}: [${fields.join(" ")}]`)
  const parsed = fields.map((field, i) => parseField(field, ranges[i]!))
  const anyDay = isStar(fields[2]!) || isStar(fields[4]!)
  const [minutes, hours, monthDays, monthSet, weekDays] = parsed as [
    Set<number>,
    Set<number>,
    Set<number>,
    Set<number>,
    Set<number>,
  ]
  const dayMatches = (day: number, weekDay: number): boolean => {
    const a = monthDays.has(day)
    const b = weekDays.has(weekDay)
    return anyDay ? a && b : a || b
  }
  return { next: (afterMs) => nextTime(afterMs, timeZone, { minutes, hours, months: monthSet, dayMatches }) }
}

const isStar = (field: string): boolean =>
  field.split(",").some((part) => part === "*" || part === "?" || part.startsWith("*/"))

function parseField(field: string, range: Range): Set<number> {
  const out = new Set<number>()
  for (const part of field.split(",")) {
    if (part === "") continue
    const [span, stepText, ...more] = part.split("/")
    if (more.length > 0) throw new Error(`too many slashes: ${part}`)
    let first: number
    let last: number
    if (span === "*" || span === "?") {
      first = range.min
      last = range.max
    } else {
      const [from, to, ...rest] = span!.split("-")
      if (rest.length > 0) throw new Error(`too many hyphens: ${part}`)
      first = parseValue(from!, range)
      last = to === undefined ? (stepText === undefined ? first : range.max) : parseValue(to, range)
    }
    const step = stepText === undefined ? 1 : parseNumber(stepText)
    if (first < range.min)
      throw new Error(`beginning of range (${first}) below minimum (${range.min}): ${part}`)
    if (last > range.max) throw new Error(`end of range (${last}) above maximum (${range.max}): ${part}`)
    if (first > last) throw new Error(`beginning of range (${first}) beyond end of range (${last}): ${part}`)
    if (step === 0) throw new Error(`step of range should be a positive number: ${part}`)
    for (let i = first; i <= last; i += step) out.add(i)
  }
  return out
}

function parseValue(text: string, range: Range): number {
  const named = range.names?.indexOf(text.toLowerCase()) ?? -1
  return named >= 0 ? named + range.min : parseNumber(text)
}

function parseNumber(text: string): number {
  if (!/^\d+$/.test(text))
    throw new Error(`failed to parse int from ${text}: strconv.Atoi: parsing "${text}": invalid syntax`)
  return Number(text)
}

const units: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 }

function every(text: string): Schedule {
  let ms = 0
  let rest = text.trim()
  while (rest !== "") {
    const match = /^(\d+(?:\.\d+)?)(ms|h|m|s)/.exec(rest)
    if (!match) throw new Error(`failed to parse duration @every ${text}: time: invalid duration "${text}"`)
    ms += Number(match[1]) * units[match[2]!]!
    rest = rest.slice(match[0].length)
  }
  const period = Math.max(1000, Math.floor(ms / 1000) * 1000)
  return { next: (afterMs) => Math.floor(afterMs / 1000) * 1000 + period }
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
  const limit = afterMs + 5 * 366 * dayMs
  let time = (Math.floor(afterMs / minuteMs) + 1) * minuteMs
  while (time < limit) {
    const wall = clock(time)
    const date = new Date(wall)
    if (
      !fields.months.has(date.getUTCMonth() + 1) ||
      !fields.dayMatches(date.getUTCDate(), date.getUTCDay())
    ) {
      time = skip(time, wall, dayMs, clock)
    } else if (!fields.hours.has(date.getUTCHours())) time = skip(time, wall, 3_600_000, clock)
    else if (!fields.minutes.has(date.getUTCMinutes())) time += minuteMs
    else return time
  }
  return undefined
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
