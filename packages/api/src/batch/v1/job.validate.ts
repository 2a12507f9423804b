/** Validation of jobs. Mirrors: pkg/apis/batch/validation/validation.go */
import { deepEqual, field, isDNS1123Label, selectorFrom, validateLabelSelector } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { immutable, notNegative, oneOf } from "../../checks.ts"
import { validatePodTemplate } from "../../core/v1/pod-spec.validate.ts"
import { validateSchedule } from "./schedule.validate.ts"
import type { CronJob, Job, JobSpec, PodFailurePolicyRule } from "./types.gen.ts"

const maxParallelIndexed = 100_000

function validateJobSpec(path: string, spec: JobSpec): FieldError[] {
  const out: FieldError[] = []
  for (const name of [
    "parallelism",
    "completions",
    "activeDeadlineSeconds",
    "backoffLimit",
    "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
    "maxFailedIndexes",
  ] as const)
    out.push(...notNegative(`${path}.${name}`, spec[name]))
  const indexed = spec.completionMode === "Indexed"
  const { completions, parallelism, backoffLimitPerIndex, maxFailedIndexes } = spec
  if (maxFailedIndexes !== undefined && backoffLimitPerIndex === undefined)
    out.push(field.required(`${path}.backoffLimitPerIndex`, "when maxFailedIndexes is specified"))
  const mode = spec.completionMode
  if (mode !== undefined) {
    if (mode !== "NonIndexed" && mode !== "Indexed")
      out.push(field.notSupported(`${path}.completionMode`, mode, ["NonIndexed", "Indexed"]))
    if (indexed) {
      if (completions === undefined)
        out.push(field.required(`${path}.completions`, "when completion mode is Indexed"))
      if (parallelism !== undefined && parallelism > maxParallelIndexed)
        out.push(
          field.invalid(
            `${path}.parallelism`,
            parallelism,
            `must be less than or equal to ${maxParallelIndexed} when completion mode is Indexed`,
          ),
        )
      if (completions !== undefined && maxFailedIndexes !== undefined && maxFailedIndexes > completions)
        out.push(
          field.invalid(
            `${path}.maxFailedIndexes`,
            maxFailedIndexes,
            "must be less than or equal to completions",
          ),
        )
    }
  }
  if (!indexed) {
    const detail = "requires indexed completion mode"
    if (backoffLimitPerIndex !== undefined)
      out.push(field.invalid(`${path}.backoffLimitPerIndex`, backoffLimitPerIndex, detail))
    if (maxFailedIndexes !== undefined)
      out.push(field.invalid(`${path}.maxFailedIndexes`, maxFailedIndexes, detail))
    if (spec.successPolicy) out.push(field.invalid(`${path}.successPolicy`, spec.successPolicy, detail))
  }
  spec.podFailurePolicy?.rules?.forEach((rule, i) =>
    out.push(...validateFailureRule(`${path}.podFailurePolicy.rules[${i}]`, rule, spec)),
  )
  if ((spec.podFailurePolicy?.rules?.length ?? 0) > 20)
    out.push(field.tooMany(`${path}.podFailurePolicy.rules`, spec.podFailurePolicy!.rules.length, 20))
  const replacement = spec.podReplacementPolicy
  if (replacement !== undefined) {
    const at = `${path}.podReplacementPolicy`
    if (spec.podFailurePolicy && replacement !== "Failed")
      out.push(field.notSupported(at, replacement, ["Failed"]))
    else if (replacement !== "Failed" && replacement !== "TerminatingOrFailed")
      out.push(field.notSupported(at, replacement, ["Failed", "TerminatingOrFailed"]))
  }
  out.push(...validatePodTemplate(`${path}.template`, spec.template))
  const restarts = spec.template.spec.restartPolicy
  const at = `${path}.template.spec.restartPolicy`
  if (restarts === "Always") out.push(field.required(at, 'valid values: "OnFailure", "Never"'))
  else if (restarts !== "OnFailure" && restarts !== "Never")
    out.push(field.notSupported(at, restarts ?? "", ["OnFailure", "Never"]))
  else if (spec.podFailurePolicy && restarts !== "Never")
    out.push(field.invalid(at, restarts, `only "Never" is supported when podFailurePolicy is specified`))
  return out
}

function validateFailureRule(path: string, rule: PodFailurePolicyRule, spec: JobSpec): FieldError[] {
  const out: FieldError[] = []
  const { onExitCodes, onPodConditions } = rule
  const actions = ["Count", "FailIndex", "FailJob", "Ignore"]
  if (!rule.action)
    out.push(
      field.required(`${path}.action`, `valid values: [${actions.map((a) => JSON.stringify(a)).join(" ")}]`),
    )
  else if (rule.action === "FailIndex" && spec.backoffLimitPerIndex === undefined)
    out.push(field.invalid(`${path}.action`, rule.action, "requires the backoffLimitPerIndex to be set"))
  else if (!actions.includes(rule.action))
    out.push(field.notSupported(`${path}.action`, rule.action, actions))
  if (onExitCodes) {
    const at = `${path}.onExitCodes`
    out.push(...oneOf(`${at}.operator`, onExitCodes.operator, ["In", "NotIn"]))
    const names = [...spec.template.spec.containers, ...(spec.template.spec.initContainers ?? [])]
    if (
      onExitCodes.containerName !== undefined &&
      !names.some(({ name }) => name === onExitCodes.containerName)
    )
      out.push(
        field.invalid(
          `${at}.containerName`,
          onExitCodes.containerName,
          "must be one of the container or initContainer names in the pod template",
        ),
      )
    const values = onExitCodes.values ?? []
    if (values.length === 0) out.push(field.invalid(`${at}.values`, values, "at least one value is required"))
    if (values.length > 255) out.push(field.tooMany(`${at}.values`, values.length, 255))
    let ordered = true
    const seen = new Set<number>()
    values.forEach((value, i) => {
      if (onExitCodes.operator === "In" && value === 0)
        out.push(field.invalid(`${at}.values[${i}]`, value, "must not be 0 for the In operator"))
      if (seen.has(value)) out.push(field.duplicate(`${at}.values[${i}]`, value))
      seen.add(value)
      if (i > 0 && values[i - 1]! > value) ordered = false
    })
    if (!ordered) out.push(field.invalid(`${at}.values`, values, "must be ordered"))
  }
  onPodConditions?.forEach(({ status }, i) => {
    out.push(...oneOf(`${path}.onPodConditions[${i}].status`, status, ["False", "True", "Unknown"]))
  })
  if (onExitCodes && onPodConditions?.length)
    out.push(
      field.invalid(
        path,
        field.omitValue,
        "specifying both OnExitCodes and OnPodConditions is not supported",
      ),
    )
  if (!onExitCodes && !onPodConditions?.length)
    out.push(
      field.invalid(path, field.omitValue, "specifying one of OnExitCodes and OnPodConditions is required"),
    )
  return out
}

export function validateJob(job: Readonly<Job>): FieldError[] {
  const { metadata, spec } = job
  const out: FieldError[] = []
  if (spec.manualSelector !== true) out.push(...validateGeneratedSelector(job))
  out.push(...validateJobSpec("spec", spec))
  const path = "spec.selector"
  if (!spec.selector) out.push(field.required(path, ""))
  else {
    out.push(...validateLabelSelector(spec.selector, path))
    const labels = spec.template.metadata?.labels
    try {
      if (!selectorFrom(spec.selector).matches(labels ?? {}))
        out.push(
          field.invalid(
            "spec.template.metadata.labels",
            labels ?? null,
            "`selector` does not match template `labels`",
          ),
        )
    } catch {
      // The selector's own problem is in the list already.
    }
  }
  if (spec.completionMode === "Indexed" && spec.completions !== undefined && spec.completions > 0) {
    const last = `${metadata.name}-${spec.completions - 1}`
    if (isDNS1123Label(last).length > 0)
      out.push(
        field.invalid(
          "metadata.name",
          metadata.name,
          `will not able to create pod with invalid DNS label: ${last}`,
        ),
      )
  }
  return out
}

function validateGeneratedSelector({ metadata, spec }: Readonly<Job>): FieldError[] {
  if (!metadata.uid) return [field.required("metadata.uid", "")]
  const expected =
    spec.selector?.matchLabels?.["batch.kubernetes.io/controller-uid"] ??
    spec.selector?.matchLabels?.["controller-uid"]
  if (expected !== metadata.uid)
    return [field.invalid("spec.selector", spec.selector, "`selector` not auto-generated")]
  return []
}

const templateDetail = "field is immutable"

/** What may change in a job: how many run at once, whether it is suspended, and the template until it has started. */
export function validateJobUpdate(job: Readonly<Job>, old: Readonly<Job>): FieldError[] {
  const out: FieldError[] = []
  const { spec } = job
  if (!deepEqual(spec.completions, old.spec.completions)) {
    const elastic =
      spec.completionMode === "Indexed" &&
      spec.completions !== undefined &&
      spec.completions === spec.parallelism
    if (!elastic) {
      const detail =
        spec.completionMode === "Indexed"
          ? "can only be modified in tandem with spec.parallelism"
          : templateDetail
      out.push(field.invalid("spec.completions", spec.completions, detail))
    }
  }
  out.push(...immutable("spec.selector", spec.selector, old.spec.selector))
  const suspended = old.spec.suspend === true && !old.status.startTime
  if (!suspended && !deepEqual(spec.template, old.spec.template))
    out.push(field.invalid("spec.template", spec.template, templateDetail))
  for (const name of [
    "completionMode",
    "podFailurePolicy",
    "backoffLimitPerIndex",
    "managedBy",
    "successPolicy",
  ] as const)
    out.push(...immutable(`spec.${name}`, spec[name], old.spec[name]))
  return out
}

/** Counters and end states only go one way. */
export function validateJobStatusUpdate(job: Readonly<Job>, old: Readonly<Job>): FieldError[] {
  const { status } = job
  const out: FieldError[] = []
  for (const name of ["active", "succeeded", "failed", "ready", "terminating"] as const)
    out.push(...notNegative(`status.${name}`, status[name]))
  const has = (one: Readonly<Job>, type: string): boolean =>
    one.status.conditions?.some((c) => c.type === type && c.status === "True") ?? false
  const path = "status.conditions"
  if (has(job, "Complete") && has(job, "Failed"))
    out.push(field.invalid(path, field.omitValue, "cannot set Complete=True and Failed=true conditions"))
  for (const type of ["Failed", "Complete", "FailureTarget"])
    if (has(old, type) && !has(job, type))
      out.push(field.invalid(path, field.omitValue, `cannot disable the terminal ${type}=True condition`))
  if (status.completionTime && !has(job, "Complete"))
    out.push(
      field.invalid(
        "status.completionTime",
        status.completionTime,
        "cannot set completionTime when there is no Complete=True condition",
      ),
    )
  if (has(job, "Complete") && !status.completionTime)
    out.push(field.required("status.completionTime", "completionTime is required for Complete jobs"))
  if ((has(job, "Complete") || has(job, "Failed")) && (status.active ?? 0) > 0)
    out.push(field.invalid("status.active", status.active, "active>0 is invalid for finished job"))
  if (old.status.completionTime && status.completionTime !== old.status.completionTime)
    out.push(field.invalid("status.completionTime", status.completionTime, "field is immutable"))
  return out
}

export function validateCronJob({ metadata, spec }: Readonly<CronJob>): FieldError[] {
  const out: FieldError[] = []
  if (spec.schedule) out.push(...validateSchedule("spec.schedule", spec.schedule, spec.timeZone))
  else out.push(field.required("spec.schedule", ""))
  out.push(
    ...notNegative("spec.startingDeadlineSeconds", spec.startingDeadlineSeconds),
    ...validateTimeZone(spec.timeZone),
    ...oneOf("spec.concurrencyPolicy", spec.concurrencyPolicy, ["Allow", "Forbid", "Replace"]),
  )
  const template = spec.jobTemplate.spec
  if (template.selector)
    out.push(
      field.invalid("spec.jobTemplate.spec.selector", template.selector, "`selector` will be auto-generated"),
    )
  out.push(...validateJobSpec("spec.jobTemplate.spec", template))
  if (template.manualSelector === true)
    out.push(field.notSupported("spec.jobTemplate.spec.manualSelector", true, ["nil", "false"]))
  out.push(
    ...notNegative("spec.successfulJobsHistoryLimit", spec.successfulJobsHistoryLimit),
    ...notNegative("spec.failedJobsHistoryLimit", spec.failedJobsHistoryLimit),
  )
  // Jobs are named after it, with eleven characters more.
  if ((metadata.name ?? "").length > 52)
    out.push(field.invalid("metadata.name", metadata.name, "must be no more than 52 characters"))
  return out
}

function validateTimeZone(zone: string | undefined): FieldError[] {
  if (zone === undefined) return []
  const path = "spec.timeZone"
  if (zone === "") return [field.invalid(path, zone, "timeZone must be nil or non-empty string")]
  if (zone.toLowerCase() === "local")
    return [
      field.invalid(
        path,
        zone,
        "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones",
      ),
    ]
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone })
    return []
  } catch {
    return [field.invalid(path, zone, `unknown time zone ${zone}`)]
  }
}
