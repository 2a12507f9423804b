/** Validation of cron jobs. Mirrors: pkg/apis/batch/validation/validation.go (ValidateCronJobCreate) */
import { field } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { notNegative, oneOf } from "../../checks.ts"
import { isTimeZone } from "./cron.ts"
import { validateJobSpec } from "./job-spec.validate.ts"
import { validateSchedule } from "./schedule.validate.ts"
import { goValue } from "../../go-value.ts"
import type { CronJob } from "./types.gen.ts"

/** Jobs are named after their cron job, with eleven characters more. */
const maxNameLength = 52

/** `old` is what an update replaces: what was taken once may stay. */
export function validateCronJob(
  { metadata, spec }: Readonly<CronJob>,
  old?: Readonly<CronJob>,
): FieldError[] {
  const out: FieldError[] = []
  if (spec.schedule) out.push(...validateSchedule("spec.schedule", spec, old?.spec))
  out.push(...notNegative("spec.startingDeadlineSeconds", spec.startingDeadlineSeconds))
  if (!old || old.spec.timeZone !== spec.timeZone) out.push(...validateTimeZone(spec.timeZone))
  const path = "spec.jobTemplate.spec"
  const template = spec.jobTemplate.spec
  out.push(
    ...oneOf("spec.concurrencyPolicy", spec.concurrencyPolicy, ["Allow", "Forbid", "Replace"]),
    ...validateJobSpec(path, template),
  )
  if (template.selector)
    out.push(
      field.invalid(
        `${path}.selector`,
        goValue("meta.LabelSelector", template.selector),
        "`selector` will be auto-generated",
      ),
    )
  if (template.manualSelector === true)
    out.push(field.notSupported(`${path}.manualSelector`, true, ["nil", "false"]))
  out.push(
    ...notNegative("spec.successfulJobsHistoryLimit", spec.successfulJobsHistoryLimit),
    ...notNegative("spec.failedJobsHistoryLimit", spec.failedJobsHistoryLimit),
  )
  if (!old && (metadata.name ?? "").length > maxNameLength)
    out.push(
      field.invalid("metadata.name", metadata.name, `must be no more than ${maxNameLength} characters`),
    )
  if (!spec.schedule) out.push(field.required("spec.schedule", ""))
  return out
}

const zonePart = /^[A-Za-z._0-9+-]{1,14}$/

function validateTimeZone(zone: string | undefined): FieldError[] {
  if (zone === undefined) return []
  const path = "spec.timeZone"
  if (zone === "") return [field.invalid(path, zone, "timeZone must be nil or non-empty string")]
  const unknown = [field.invalid(path, zone, `unknown time zone ${zone}`)]
  for (const part of zone.split("/"))
    if (part === "." || part === ".." || part.startsWith("-") || !zonePart.test(part)) return unknown
  if (zone.toLowerCase() === "local") {
    const detail = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
    return [field.invalid(path, zone, detail), ...(zone === "Local" ? [] : unknown)]
  }
  return isTimeZone(zone) ? [] : unknown
}
