/** Validation of the workload kinds. Mirrors: pkg/apis/apps/validation/validation.go */
import { field, isValidPercent, selectorFrom, validateLabelSelector } from "@knarr/apimachinery"
import type { FieldError, LabelSelector } from "@knarr/apimachinery"
import { immutable, notNegative } from "../../checks.ts"
import { validatePodTemplate } from "../../core/v1/pod-spec.validate.ts"
import { goValue } from "../../go-value.ts"
import type { PodTemplateSpec } from "../../core/v1/types.gen.ts"
import type { ControllerRevision, DaemonSet, Deployment, ReplicaSet } from "./types.gen.ts"

/** A number that is not negative, or a percentage. */
export function validateIntOrPercent(path: string, value: number | string | undefined): FieldError[] {
  if (value === undefined) return []
  if (typeof value === "number") return notNegative(path, value)
  return isValidPercent(value).map((detail) => field.invalid(path, value, detail))
}

/** A percentage of at most 100. */
export function notMoreThan100Percent(path: string, value: number | string | undefined): FieldError[] {
  const percent = typeof value === "string" && isValidPercent(value).length === 0 ? Number.parseInt(value) : 0
  return percent > 100 ? [field.invalid(path, value, "must not be greater than 100%")] : []
}

export function amountOf(value: number | string | undefined): number {
  return typeof value === "string" ? Number.parseInt(value) || 0 : (value ?? 0)
}

/**
 * Checks the selector of a workload that must have one. Answers whether it can be asked: none at all can, it
 * selects nothing.
 */
export function validateSelector(
  selector: LabelSelector | undefined,
  what: string,
  unusableDetail: string,
  out: FieldError[],
): boolean {
  const path = "spec.selector"
  if (!selector) {
    out.push(field.required(path, ""))
    return true
  }
  out.push(...validateLabelSelector(selector, path))
  if (isEmptySelector(selector))
    out.push(
      field.invalid(path, goValue("meta.LabelSelector", selector), `empty selector is invalid for ${what}`),
    )
  if (isUsable(selector)) return true
  out.push(field.invalid(path, goValue("meta.LabelSelector", selector), unusableDetail))
  return false
}

function isEmptySelector(selector: LabelSelector): boolean {
  return Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions ?? []).length === 0
}

function isUsable(selector: LabelSelector): boolean {
  try {
    selectorFrom(selector)
    return true
  } catch {
    return false
  }
}

/** The labels of a template must be what the (usable) selector looks for. */
export function validateTemplateLabels(
  template: PodTemplateSpec,
  selector: LabelSelector | undefined,
): FieldError[] {
  const labels = template.metadata?.labels
  if (selector && selectorFrom(selector).matches(labels ?? {})) return []
  return [
    field.invalid(
      "spec.template.metadata.labels",
      labels ?? null,
      "`selector` does not match template `labels`",
    ),
  ]
}

/** Pods of a workload run for ever. */
export function validateRunsForever({ spec }: PodTemplateSpec, kind: string): FieldError[] {
  const path = "spec.template.spec"
  const out: FieldError[] = []
  if (spec.restartPolicy !== "Always")
    out.push(field.notSupported(`${path}.restartPolicy`, spec.restartPolicy ?? "", ["Always"]))
  if (spec.activeDeadlineSeconds !== undefined)
    out.push(
      field.forbidden(`${path}.activeDeadlineSeconds`, `activeDeadlineSeconds in ${kind} is not Supported`),
    )
  return out
}

/** The template of Deployments and ReplicaSets. */
function validateReplicaSetTemplate(
  template: PodTemplateSpec,
  selector: LabelSelector | undefined,
): FieldError[] {
  return [
    ...validateTemplateLabels(template, selector),
    ...validatePodTemplate("spec.template", template),
    ...validateRunsForever(template, "ReplicaSet"),
  ]
}

export function validateDeployment({ spec }: Readonly<Deployment>): FieldError[] {
  const out = notNegative("spec.replicas", spec.replicas)
  if (validateSelector(spec.selector, "deployment", "invalid label selector", out))
    out.push(...validateReplicaSetTemplate(spec.template, spec.selector))
  const strategy = spec.strategy ?? {}
  const path = "spec.strategy"
  if (strategy.type === "Recreate") {
    if (strategy.rollingUpdate)
      out.push(
        field.forbidden(`${path}.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'"),
      )
  } else if (strategy.type === "RollingUpdate") {
    const rolling = strategy.rollingUpdate
    const at = `${path}.rollingUpdate`
    if (!rolling) out.push(field.required(at, "this should be defaulted and never be nil"))
    else {
      out.push(
        ...validateIntOrPercent(`${at}.maxUnavailable`, rolling.maxUnavailable),
        ...validateIntOrPercent(`${at}.maxSurge`, rolling.maxSurge),
      )
      if (amountOf(rolling.maxUnavailable) === 0 && amountOf(rolling.maxSurge) === 0)
        out.push(
          field.invalid(`${at}.maxUnavailable`, rolling.maxUnavailable, "may not be 0 when `maxSurge` is 0"),
        )
      out.push(...notMoreThan100Percent(`${at}.maxUnavailable`, rolling.maxUnavailable))
    }
  } else
    out.push(
      field.notSupported(path, goValue("apps.DeploymentStrategy", strategy), ["Recreate", "RollingUpdate"]),
    )
  out.push(
    ...notNegative("spec.minReadySeconds", spec.minReadySeconds),
    ...notNegative("spec.revisionHistoryLimit", spec.revisionHistoryLimit),
  )
  const deadline = spec.progressDeadlineSeconds
  if (deadline !== undefined) {
    out.push(...notNegative("spec.progressDeadlineSeconds", deadline))
    if (deadline <= (spec.minReadySeconds ?? 0))
      out.push(
        field.invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"),
      )
  }
  return out
}

export function validateReplicaSet({ spec }: Readonly<ReplicaSet>): FieldError[] {
  const out = [
    ...notNegative("spec.replicas", spec.replicas),
    ...notNegative("spec.minReadySeconds", spec.minReadySeconds),
  ]
  if (validateSelector(spec.selector, "deployment", "invalid label selector", out))
    out.push(...validateReplicaSetTemplate(spec.template, spec.selector))
  return out
}

export function validateDaemonSet(set: Readonly<DaemonSet>, old?: Readonly<DaemonSet>): FieldError[] {
  const { spec } = set
  const { selector, template } = spec
  const out = old ? validateSelectorUpdate(set, old) : []
  out.push(...validateLabelSelector(selector, "spec.selector"))
  if (!selector || isUsable(selector)) out.push(...validateTemplateLabels(template, selector))
  if (selector && isEmptySelector(selector))
    out.push(
      field.invalid(
        "spec.selector",
        goValue("meta.LabelSelector", selector),
        "empty selector is invalid for daemonset",
      ),
    )
  out.push(...validatePodTemplate("spec.template", template), ...validateRunsForever(template, "DaemonSet"))
  out.push(...notNegative("spec.minReadySeconds", spec.minReadySeconds))
  const { type, rollingUpdate } = spec.updateStrategy ?? {}
  const path = "spec.updateStrategy"
  if (type === "RollingUpdate") {
    const at = `${path}.rollingUpdate`
    if (!rollingUpdate) out.push(field.required(at, ""))
    else {
      const { maxUnavailable, maxSurge } = rollingUpdate
      out.push(
        ...validateIntOrPercent(`${at}.maxUnavailable`, maxUnavailable),
        ...validateIntOrPercent(`${at}.maxSurge`, maxSurge),
        ...notMoreThan100Percent(`${at}.maxUnavailable`, maxUnavailable),
        ...notMoreThan100Percent(`${at}.maxSurge`, maxSurge),
      )
      const unavailable = amountOf(maxUnavailable) !== 0
      const surge = amountOf(maxSurge) !== 0
      if (unavailable && surge)
        out.push(field.invalid(`${at}.maxSurge`, maxSurge, "may not be set when maxUnavailable is non-zero"))
      if (!unavailable && !surge)
        out.push(field.required(`${at}.maxUnavailable`, "cannot be 0 when maxSurge is 0"))
    }
  } else if (type !== "OnDelete")
    out.push(
      field.notSupported(path, goValue("apps.DaemonSetUpdateStrategy", spec.updateStrategy), [
        "RollingUpdate",
        "OnDelete",
      ]),
    )
  return [...out, ...notNegative("spec.revisionHistoryLimit", spec.revisionHistoryLimit)]
}

type Selecting = { readonly spec: { readonly selector?: LabelSelector | undefined } }

/** A workload finds its pods by a selector that never changes. */
export function validateSelectorUpdate(obj: Selecting, old: Selecting): FieldError[] {
  return immutable("spec.selector", obj.spec.selector, old.spec.selector, "*meta.LabelSelector")
}

/** What a revision holds is looked at when it is created: it never changes. */
export function validateControllerRevision(
  { data, revision }: Readonly<ControllerRevision>,
  old?: Readonly<ControllerRevision>,
): FieldError[] {
  const out = notNegative("revision", revision)
  if (old) return out
  if (data === undefined || data === null) out.push(field.required("data", "data is mandatory"))
  else if (typeof data !== "object" || Array.isArray(data))
    out.push(field.required("data", "data must be a valid JSON object"))
  return out
}
