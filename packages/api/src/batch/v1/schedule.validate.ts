/** Whether a cron job has a schedule. Mirrors: pkg/apis/batch/validation/validation.go (validateScheduleFormat) */
import { field } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { parseCron } from "./cron.ts"
import type { CronJobSpec } from "./types.gen.ts"

/**
 * Checks a schedule of five fields or a descriptor such as `@daily` or `@every 1h`. A time zone in the text is
 * tolerated where `old` had one.
 */
export function validateSchedule(path: string, spec: CronJobSpec, old?: CronJobSpec): FieldError[] {
  const { schedule, timeZone } = spec
  const problem = problemOf(schedule)
  const out = problem ? [field.invalid(path, schedule, problem)] : []
  if (!schedule.includes("TZ")) return out
  const detail = old?.schedule.includes("TZ")
    ? timeZone === undefined
      ? undefined
      : "cannot use both timeZone field and TZ or CRON_TZ in schedule"
    : "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
  return detail === undefined ? out : [...out, field.invalid(path, schedule, detail)]
}

function problemOf(schedule: string): string | undefined {
  try {
    parseCron(schedule)
    return undefined
  } catch (thrown) {
    return (thrown as Error).message
  }
}
