/** Rules of a job's spec, in jobs and in the templates of cron jobs. Mirrors: pkg/apis/batch/validation/validation.go */
import { field, isDomainPrefixedPath } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { notNegative } from "../../checks.ts"
import { validatePodTemplate } from "../../core/v1/pod-spec.validate.ts"
import { validateFailurePolicy } from "./failure-policy.validate.ts"
import { validateSuccessPolicy } from "./success-policy.validate.ts"
import { goValue } from "../../go-value.ts"
import type { JobSpec } from "./types.gen.ts"

/** The most pods at once, and failed indexes, of an indexed job. */
const maxIndexed = 100_000
/** Above this many completions, an indexed job with limits per index may have fewer at once. */
const manyCompletions = 100_000
const maxOfMany = 10_000
const maxManagedByLength = 63

/** Checks everything but the selector. */
export function validateJobSpec(path: string, spec: JobSpec): FieldError[] {
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
  const { backoffLimitPerIndex, maxFailedIndexes, managedBy } = spec
  if (maxFailedIndexes !== undefined && backoffLimitPerIndex === undefined)
    out.push(field.required(`${path}.backoffLimitPerIndex`, "when maxFailedIndexes is specified"))
  if (managedBy !== undefined) {
    out.push(...isDomainPrefixedPath(`${path}.managedBy`, managedBy))
    if (managedBy.length > maxManagedByLength)
      out.push(field.tooLong(`${path}.managedBy`, "", maxManagedByLength))
  }
  const mode = spec.completionMode
  const indexed = mode === "Indexed"
  if (mode !== undefined && mode !== "NonIndexed" && !indexed)
    out.push(field.notSupported(`${path}.completionMode`, mode, ["NonIndexed", "Indexed"]))
  if (indexed) out.push(...validateIndexed(path, spec))
  if (mode === undefined || mode === "NonIndexed")
    for (const name of ["backoffLimitPerIndex", "maxFailedIndexes"] as const)
      if (spec[name] !== undefined)
        out.push(field.invalid(`${path}.${name}`, spec[name], "requires indexed completion mode"))
  if (spec.podFailurePolicy) out.push(...validateFailurePolicy(`${path}.podFailurePolicy`, spec))
  if (spec.successPolicy)
    out.push(
      ...(indexed
        ? validateSuccessPolicy(`${path}.successPolicy`, spec.successPolicy, spec.completions ?? 0)
        : [
            field.invalid(
              `${path}.successPolicy`,
              goValue("batch.SuccessPolicy", spec.successPolicy),
              "requires indexed completion mode",
            ),
          ]),
    )
  const replacement = spec.podReplacementPolicy
  if (replacement !== undefined) {
    const allowed = spec.podFailurePolicy ? ["Failed"] : ["Failed", "TerminatingOrFailed"]
    if (!allowed.includes(replacement))
      out.push(field.notSupported(`${path}.podReplacementPolicy`, replacement, allowed))
  }
  out.push(...validatePodTemplate(`${path}.template`, spec.template))
  const restarts = spec.template.spec.restartPolicy
  const at = `${path}.template.spec.restartPolicy`
  if (!restarts || restarts === "Always") out.push(field.required(at, 'valid values: "OnFailure", "Never"'))
  else if (restarts !== "OnFailure" && restarts !== "Never")
    out.push(field.notSupported(at, restarts, ["OnFailure", "Never"]))
  else if (spec.podFailurePolicy && restarts !== "Never")
    out.push(field.invalid(at, restarts, `only "Never" is supported when podFailurePolicy is specified`))
  return out
}

function validateIndexed(path: string, spec: JobSpec): FieldError[] {
  const { completions, parallelism, maxFailedIndexes } = spec
  const out: FieldError[] = []
  const tooMuch = (name: string, value: number | undefined, detail: string): number =>
    out.push(field.invalid(`${path}.${name}`, value, detail))
  if (completions === undefined)
    out.push(field.required(`${path}.completions`, "when completion mode is Indexed"))
  if ((parallelism ?? 0) > maxIndexed)
    tooMuch(
      "parallelism",
      parallelism,
      `must be less than or equal to ${maxIndexed} when completion mode is Indexed`,
    )
  if (completions !== undefined && maxFailedIndexes !== undefined && maxFailedIndexes > completions)
    tooMuch("maxFailedIndexes", maxFailedIndexes, "must be less than or equal to completions")
  if ((maxFailedIndexes ?? 0) > maxIndexed)
    tooMuch("maxFailedIndexes", maxFailedIndexes, `must be less than or equal to ${maxIndexed}`)
  if ((completions ?? 0) <= manyCompletions || spec.backoffLimitPerIndex === undefined) return out
  if (maxFailedIndexes === undefined)
    out.push(
      field.required(
        `${path}.maxFailedIndexes`,
        `must be specified when completions is above ${manyCompletions}`,
      ),
    )
  const detail = `must be less than or equal to ${maxOfMany} when completions are above ${manyCompletions} and used with backoff limit per index`
  if ((parallelism ?? 0) > maxOfMany) tooMuch("parallelism", parallelism, detail)
  if ((maxFailedIndexes ?? 0) > maxOfMany) tooMuch("maxFailedIndexes", maxFailedIndexes, detail)
  return out
}
