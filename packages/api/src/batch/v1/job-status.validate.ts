/**
 * What the status of a job may become; rules of a field hold when it changes.
 * Mirrors: pkg/apis/batch/validation/validation.go (ValidateJobUpdateStatus), pkg/registry/batch/job/strategy.go
 * (getStatusValidationOptions)
 */
import { field, semanticEqual } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { notNegative } from "../../checks.ts"
import { firstOverlap, readIndexes } from "./job-indexes.ts"
import type { Job, JobStatus } from "./types.gen.ts"

function hasCondition(job: Readonly<Job>, type: string, status = "True"): boolean {
  return job.status.conditions?.some((c) => c.type === type && c.status === status) ?? false
}

const isFinished = (job: Readonly<Job>): boolean =>
  hasCondition(job, "Complete") || hasCondition(job, "Failed")

export function validateJobStatusUpdate(job: Readonly<Job>, old: Readonly<Job>): FieldError[] {
  return [...validateStatus(job, old), ...validateTransition(job, old)]
}

function validateStatus(job: Readonly<Job>, old: Readonly<Job>): FieldError[] {
  const { spec, status } = job
  const out: FieldError[] = []
  const is = (type: string): boolean => hasCondition(job, type)
  const turned = (...types: string[]): boolean =>
    types.some((type) => hasCondition(job, type) !== hasCondition(old, type))
  const changed = (...names: (keyof JobStatus)[]): boolean =>
    names.some((name) => !semanticEqual(status[name], old.status[name]))
  const finished = isFinished(job)
  const finishing = finished !== isFinished(old)
  const invalid = (name: string, value: unknown, detail: string): number =>
    out.push(field.invalid(`status.${name}`, value, detail))
  const conditions = (detail: string): number => invalid("conditions", field.omitValue, detail)

  for (const name of ["active", "succeeded", "failed", "ready", "terminating"] as const)
    out.push(...notNegative(`status.${name}`, status[name]))
  out.push(...validateUncounted(status))
  if (turned("Complete", "Failed") && is("Complete") && is("Failed"))
    conditions("cannot set Complete=True and Failed=true conditions")
  if (turned("Complete", "FailureTarget") && is("Complete") && is("FailureTarget"))
    conditions("cannot set Complete=True and FailureTarget=true conditions")
  if (turned("Complete") || changed("completionTime")) {
    if (status.completionTime && !is("Complete"))
      invalid(
        "completionTime",
        status.completionTime,
        "cannot set completionTime when there is no Complete=True condition",
      )
    if (!status.completionTime && is("Complete"))
      out.push(field.required("status.completionTime", "completionTime is required for Complete jobs"))
  }
  if (
    changed("startTime", "completionTime") &&
    status.startTime &&
    status.completionTime &&
    Date.parse(status.completionTime) < Date.parse(status.startTime)
  )
    invalid("completionTime", status.completionTime, "must be equal to or after `startTime`")
  if ((turned("Failed") || changed("failedIndexes")) && is("Failed") && !is("FailureTarget"))
    conditions("cannot set Failed=True condition without the FailureTarget=true condition")
  if (turned("Complete", "SuccessCriteriaMet") && is("Complete") && !is("SuccessCriteriaMet"))
    conditions("cannot set Complete=True condition without the SuccessCriteriaMet=true condition")
  if ((finishing || changed("active")) && finished && (status.active ?? 0) > 0)
    invalid("active", status.active, "active>0 is invalid for finished job")
  const nothingToDo = spec.suspend === true && spec.completions === 0
  if ((finishing || changed("startTime")) && !nothingToDo && finished && !status.startTime)
    out.push(field.required("status.startTime", "startTime is required for finished job"))
  const uncounted = status.uncountedTerminatedPods
  if (
    (finishing || changed("uncountedTerminatedPods")) &&
    finished &&
    (uncounted?.failed?.length ?? 0) + (uncounted?.succeeded?.length ?? 0) > 0
  )
    invalid("uncountedTerminatedPods", uncounted, "must be empty for finished job")
  out.push(...validateIndexes(job, changed("completedIndexes"), changed("failedIndexes")))
  if ((finishing || changed("terminating")) && finished && (status.terminating ?? 0) > 0)
    invalid("terminating", status.terminating, "terminating>0 is invalid for finished job")
  if (changed("ready", "active") && status.ready !== undefined && status.ready > (status.active ?? 0))
    invalid("ready", status.ready, "cannot set more ready pods than active")
  if (is("SuccessCriteriaMet") && is("Failed"))
    conditions("cannot set SuccessCriteriaMet=True and Failed=true conditions")
  if (is("SuccessCriteriaMet") && is("FailureTarget"))
    conditions("cannot set SuccessCriteriaMet=True and FailureTarget=true conditions")
  if (spec.successPolicy && !is("SuccessCriteriaMet") && is("Complete"))
    conditions("cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True")
  return out
}

function validateUncounted({ uncountedTerminatedPods }: JobStatus): FieldError[] {
  const out: FieldError[] = []
  const seen = new Set<string>()
  for (const name of ["succeeded", "failed"] as const)
    for (const [i, uid] of (uncountedTerminatedPods?.[name] ?? []).entries()) {
      const path = `status.uncountedTerminatedPods.${name}[${i}]`
      if (uid === "") out.push(field.invalid(path, uid, "must not be empty"))
      else if (seen.has(uid)) out.push(field.duplicate(path, uid))
      seen.add(uid)
    }
  return out
}

function validateIndexes(
  { spec, status }: Readonly<Job>,
  completedChanged: boolean,
  failedChanged: boolean,
): FieldError[] {
  const { completedIndexes = "", failedIndexes } = status
  const { completions } = spec
  const out: FieldError[] = []
  const invalid = (name: string, value: string, detail: string): number =>
    out.push(field.invalid(`status.${name}`, value, detail))
  if (completedChanged && completions !== undefined) {
    const read = readIndexes(completedIndexes, completions)
    if (typeof read === "string")
      invalid("completedIndexes", completedIndexes, `error parsing completedIndexes: ${read}`)
  }
  const perIndex = spec.backoffLimitPerIndex !== undefined
  if (failedChanged && completions !== undefined && perIndex && failedIndexes !== undefined) {
    const read = readIndexes(failedIndexes, completions)
    if (typeof read === "string")
      invalid("failedIndexes", failedIndexes, `error parsing failedIndexes: ${read}`)
  }
  if (completedChanged && completedIndexes !== "" && spec.completionMode !== "Indexed")
    invalid(
      "completedIndexes",
      completedIndexes,
      "cannot set non-empty completedIndexes when non-indexed completion mode",
    )
  if (failedChanged && !perIndex && failedIndexes !== undefined)
    invalid(
      "failedIndexes",
      failedIndexes,
      "cannot set non-null failedIndexes when backoffLimitPerIndex is null",
    )
  if ((failedChanged || completedChanged) && completions !== undefined && failedIndexes !== undefined) {
    const both = firstOverlap(completedIndexes, failedIndexes, completions)
    if (both !== undefined)
      invalid("failedIndexes", failedIndexes, `failedIndexes and completedIndexes overlap at index: ${both}`)
  }
  return out
}

/** Counters and end states only go one way. */
function validateTransition(job: Readonly<Job>, old: Readonly<Job>): FieldError[] {
  const { spec, status } = job
  const out: FieldError[] = []
  const invalid = (name: string, value: unknown, detail: string): number =>
    out.push(field.invalid(`status.${name}`, value, detail))
  for (const type of ["Failed", "Complete", "FailureTarget"])
    if (hasCondition(old, type) && !hasCondition(job, type))
      invalid("conditions", field.omitValue, `cannot disable the terminal ${type}=True condition`)
  if ((status.failed ?? 0) < (old.status.failed ?? 0))
    invalid("failed", status.failed ?? 0, "cannot decrease the failed counter")
  const elastic = spec.completionMode === "Indexed" && spec.completions === spec.parallelism
  if (!elastic && (status.succeeded ?? 0) < (old.status.succeeded ?? 0))
    invalid("succeeded", status.succeeded ?? 0, "cannot decrease the succeeded counter")
  if (
    status.completionTime &&
    old.status.completionTime &&
    !semanticEqual(status.completionTime, old.status.completionTime)
  )
    invalid("completionTime", status.completionTime, "field is immutable")
  const resuming = hasCondition(old, "Suspended") && hasCondition(job, "Suspended", "False")
  if (
    !resuming &&
    old.status.startTime &&
    !semanticEqual(status.startTime, old.status.startTime) &&
    !spec.suspend
  )
    invalid("startTime", status.startTime ?? null, "field is immutable for unsuspended job once set")
  const was = hasCondition(old, "SuccessCriteriaMet")
  const is = hasCondition(job, "SuccessCriteriaMet")
  if (was && !is)
    invalid("conditions", field.omitValue, "cannot disable the SuccessCriteriaMet=True condition")
  if (hasCondition(old, "Complete") && !was && is)
    invalid(
      "conditions",
      field.omitValue,
      "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions",
    )
  return out
}
