/** Whether a text is a schedule. Mirrors: robfig/cron v3 (ParseStandard) */
import { field } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"

interface Bounds {
  readonly min: number
  readonly max: number
  readonly names?: Readonly<Record<string, number>>
}

const months = Object.fromEntries(
  "jan feb mar apr may jun jul aug sep oct nov dec".split(" ").map((m, i) => [m, i + 1]),
)
const days = Object.fromEntries("sun mon tue wed thu fri sat".split(" ").map((d, i) => [d, i]))
const fields: readonly Bounds[] = [
  { min: 0, max: 59 },
  { min: 0, max: 23 },
  { min: 1, max: 31 },
  { min: 1, max: 12, names: months },
  { min: 0, max: 6, names: days },
]
const descriptors = new Set(["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"])

/** Checks a schedule of five fields or a descriptor such as `@daily` or `@every 1h`. */
export function validateSchedule(path: string, schedule: string, timeZone?: string): FieldError[] {
  const problem = problemOf(schedule)
  const out = problem ? [field.invalid(path, schedule, problem)] : []
  if (/(^|\s)(CRON_)?TZ=/.test(schedule))
    out.push(
      field.invalid(
        path,
        schedule,
        timeZone === undefined
          ? "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
          : "cannot use both timeZone field and TZ or CRON_TZ in schedule",
      ),
    )
  return out
}

function problemOf(schedule: string): string | undefined {
  const text = schedule.replace(/^(CRON_)?TZ=\S+\s+/, "")
  if (text.startsWith("@")) {
    if (descriptors.has(text)) return undefined
    if (/^@every (\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined
    return text.startsWith("@every ")
      ? `failed to parse duration ${text}: time: invalid duration ${JSON.stringify(text.slice(7))}`
      : `unrecognized descriptor: ${text}`
  }
  const parts = text.split(/\s+/).filter(Boolean)
  if (parts.length !== 5) return `expected exactly 5 fields, found ${parts.length}: [${parts.join(" ")}]`
  for (const [i, part] of parts.entries()) {
    for (const range of part.split(",")) {
      const problem = rangeProblem(range, fields[i]!)
      if (problem) return problem
    }
  }
  return undefined
}

function rangeProblem(text: string, bounds: Bounds): string | undefined {
  const [range = "", step, ...rest] = text.split("/")
  if (rest.length > 0) return `too many slashes: ${text}`
  const ends = range.split("-")
  if (ends.length > 2) return `too many hyphens: ${text}`
  let low = bounds.min
  let high = bounds.max
  if (ends[0] !== "*" && ends[0] !== "?") {
    for (const [i, end] of ends.entries()) {
      const value = bounds.names?.[end.toLowerCase()] ?? (/^\d+$/.test(end) ? Number(end) : undefined)
      if (value === undefined)
        return `failed to parse int from ${end}: strconv.Atoi: parsing ${JSON.stringify(end)}: invalid syntax`
      if (i === 0) low = value
      high = i === 0 && step !== undefined && ends.length === 1 ? bounds.max : value
    }
  }
  if (step !== undefined) {
    if (!/^\d+$/.test(step))
      return `failed to parse int from ${step}: strconv.Atoi: parsing ${JSON.stringify(step)}: invalid syntax`
    if (Number(step) === 0) return `step of range should be a positive number: ${text}`
  }
  if (low < bounds.min) return `beginning of range (${low}) below minimum (${bounds.min}): ${text}`
  if (high > bounds.max) return `end of range (${high}) above maximum (${bounds.max}): ${text}`
  if (low > high) return `beginning of range (${low}) beyond end of range (${high}): ${text}`
  return undefined
}
