/** Validation of jobs. Mirrors: pkg/apis/batch/validation/validation.go (ValidateJobCreate, ValidateJobUpdate) */
import {
  deepClone,
  field,
  isDNS1123Label,
  selectorFrom,
  semanticEqual,
  validateLabelSelector,
} from "@knarr/apimachinery"
import type { FieldError, LabelSelector } from "@knarr/apimachinery"
import { immutable, immutableMessage } from "../../checks.ts"
import type { PodSpec, PodTemplateSpec } from "../../core/v1/types.gen.ts"
import { validateJobSpec } from "./job-spec.validate.ts"
import { goValue } from "../../go-value.ts"
import type { Job } from "./types.gen.ts"

const uidLabel = "batch.kubernetes.io/controller-uid"
const nameLabel = "batch.kubernetes.io/job-name"
const oldUidLabel = "controller-uid"
const oldNameLabel = "job-name"

/** Rules of a job; on an update they are followed by those of {@link validateJobUpdate}. */
export function validateJob(job: Readonly<Job>, old?: Readonly<Job>): FieldError[] {
  const { spec } = job
  const out = old ? [] : validateGeneratedSelector(job)
  out.push(...validateJobSpec("spec", spec))
  if (!spec.selector) out.push(field.required("spec.selector", ""))
  else out.push(...validateLabelSelector(spec.selector, "spec.selector"))
  const labels = spec.template.metadata?.labels
  if (matches(spec.selector, labels ?? {}) === false)
    out.push(
      field.invalid(
        "spec.template.metadata.labels",
        labels ?? null,
        "`selector` does not match template `labels`",
      ),
    )
  return old ? out : [...out, ...validateNames(job)]
}

/** Whether the labels are selected; undefined when the selector cannot be read. */
function matches(
  selector: LabelSelector | undefined,
  labels: Readonly<Record<string, string>>,
): boolean | undefined {
  if (!selector) return false
  try {
    return selectorFrom(selector).matches(labels)
  } catch {
    return undefined
  }
}

/** Pods of an indexed job have hostnames of the job's name and their index. */
function validateNames({ metadata, spec }: Readonly<Job>): FieldError[] {
  if (spec.completionMode !== "Indexed" || (spec.completions ?? 0) <= 0) return []
  const name = metadata.name ?? ""
  const last = `${name}-${spec.completions! - 1}`
  if (isDNS1123Label(last).length === 0) return []
  return [field.invalid("metadata.name", name, `will not able to create pod with invalid DNS label: ${last}`)]
}

function validateGeneratedSelector({ metadata, spec }: Readonly<Job>): FieldError[] {
  if (spec.manualSelector === true || !spec.selector) return []
  const out: FieldError[] = []
  const uid = metadata.uid ?? ""
  const name = metadata.name ?? ""
  if (!uid) out.push(field.required("metadata.uid", ""))
  const expected = { [oldUidLabel]: uid, [oldNameLabel]: name, [uidLabel]: uid, [nameLabel]: name }
  const labels = spec.template.metadata?.labels ?? {}
  for (const [key, value] of Object.entries(expected)) {
    const path = `spec.template.metadata.labels[${key}]`
    if (labels[key] === undefined) out.push(field.required(path, `must be '${value}'`))
    else if (labels[key] !== value) out.push(field.invalid(path, labels, `must be '${value}'`))
  }
  if (matches(spec.selector, expected) === false)
    out.push(field.invalid("spec.selector", spec.selector, "`selector` not auto-generated"))
  return out
}

/** What may change in a job: how many run at once, whether it is suspended, and parts of the template while it is. */
export function validateJobUpdate(job: Readonly<Job>, old: Readonly<Job>): FieldError[] {
  const { spec } = job
  const out: FieldError[] = []
  if (spec.completionMode !== "Indexed")
    out.push(...immutable("spec.completions", spec.completions, old.spec.completions))
  else if (
    spec.completions !== undefined &&
    spec.completions !== old.spec.completions &&
    spec.completions !== spec.parallelism
  )
    out.push(
      field.invalid(
        "spec.completions",
        spec.completions,
        "can only be modified in tandem with spec.parallelism",
      ),
    )
  out.push(
    ...unchanged("spec.selector", spec.selector, old.spec.selector, "*meta.LabelSelector"),
    ...validateTemplateUpdate(job, old),
  )
  for (const name of [
    "completionMode",
    "podFailurePolicy",
    "backoffLimitPerIndex",
    "managedBy",
    "successPolicy",
  ] as const)
    out.push(...unchanged(`spec.${name}`, spec[name], old.spec[name], shown[name]))
  return [...out, ...validateNames(job)]
}

const shown: Readonly<Record<string, string>> = {
  podFailurePolicy: "*batch.PodFailurePolicy",
  successPolicy: "*batch.SuccessPolicy",
}

/** `type` is how Go calls what is shown. */
function unchanged(path: string, value: unknown, old: unknown, type?: string): FieldError[] {
  if (semanticEqual(value, old)) return []
  return [field.invalid(path, type === undefined ? (value ?? null) : goValue(type, value), immutableMessage)]
}

/**
 * The template is immutable; but while a job is suspended and has no pods, whoever queues it may say where its
 * pods go and what they may use.
 */
function validateTemplateUpdate(job: Readonly<Job>, old: Readonly<Job>): FieldError[] {
  const { template } = job.spec
  const suspended = old.spec.suspend === true
  const isSuspended = (old.status.conditions ?? []).some(
    ({ type, status }) => type === "Suspended" && status === "True",
  )
  const mutable = suspended && (!old.status.startTime || isSuspended) && (old.status.active ?? 0) === 0
  if (!mutable) return unchanged("spec.template", template, old.spec.template, "core.PodTemplateSpec")
  const was = deepClone(old.spec.template)
  takeDirectives(was, template)
  for (const kind of ["containers", "initContainers"] as const) takeResources(was.spec, template.spec, kind)
  return unchanged("spec.template.spec", template.spec, was.spec, "core.PodSpec")
}

/** What says where pods go. */
function takeDirectives(was: PodTemplateSpec, template: PodTemplateSpec): void {
  const { affinity, nodeSelector, tolerations, schedulingGates } = template.spec
  const to = was.spec as { -readonly [K in keyof PodSpec]: PodSpec[K] | undefined }
  if (affinity || to.affinity) {
    const { nodeAffinity: _before, ...others } = to.affinity ?? {}
    const nodeAffinity = affinity?.nodeAffinity
    to.affinity = nodeAffinity ? { ...others, nodeAffinity } : others
    if (!affinity && Object.keys(others).length === 0) to.affinity = undefined
  }
  to.nodeSelector = nodeSelector
  to.tolerations = tolerations
  to.schedulingGates = schedulingGates
}

function takeResources(was: PodSpec, spec: PodSpec, kind: "containers" | "initContainers"): void {
  const before = was[kind] ?? []
  const now = spec[kind] ?? []
  if (before.length !== now.length) return
  for (const [i, container] of before.entries()) {
    if (container.name !== now[i]!.name) continue
    const { resources } = now[i]!
    if (resources) container.resources = resources
    else delete container.resources
  }
}
