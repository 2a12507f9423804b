/** Validation of the workload kinds. Mirrors: pkg/apis/apps/validation/validation.go */
import {
  field,
  isValidPercent,
  selectorFrom,
  semanticEqual,
  validateLabelSelector,
} from "@knarr/apimachinery"
import type { FieldError, LabelSelector } from "@knarr/apimachinery"
import { immutable, immutableMessage, notNegative, oneOf } from "../../checks.ts"
import { validateClaimSpec } from "../../core/v1/claim.validate.ts"
import { validatePodTemplate } from "../../core/v1/pod-spec.validate.ts"
import { goStruct } from "../../go-struct.ts"
import type { PodTemplateSpec } from "../../core/v1/types.gen.ts"
import type { ControllerRevision, DaemonSet, Deployment, ReplicaSet, StatefulSet } from "./types.gen.ts"

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

function amountOf(value: number | string | undefined): number {
  return typeof value === "string" ? Number.parseInt(value) || 0 : (value ?? 0)
}

/** Checks the selector of a workload and answers whether it can be used on labels. */
function validateSelector(
  selector: LabelSelector | undefined,
  what: string,
  out: FieldError[],
  path = "spec.selector",
): boolean {
  if (!selector) {
    out.push(field.required(path, ""))
    return false
  }
  out.push(...validateLabelSelector(selector, path))
  if (Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions ?? []).length === 0) {
    out.push(field.invalid(path, selector, `empty selector is invalid for ${what}`))
    return false
  }
  try {
    selectorFrom(selector)
    return true
  } catch {
    out.push(field.invalid(path, selector, "invalid label selector"))
    return false
  }
}

/** A template whose pods the selector finds and that run forever. */
function validateTemplate(
  template: PodTemplateSpec,
  selector: LabelSelector | undefined,
  usable: boolean,
  kind: string,
): FieldError[] {
  const path = "spec.template"
  const out: FieldError[] = []
  const labels = template.metadata?.labels
  // No selector at all selects nothing.
  if (!selector || (usable && !selectorFrom(selector).matches(labels ?? {})))
    out.push(
      field.invalid(`${path}.metadata.labels`, labels ?? null, "`selector` does not match template `labels`"),
    )
  out.push(...validatePodTemplate(path, template))
  if (template.spec.restartPolicy !== "Always")
    out.push(field.notSupported(`${path}.spec.restartPolicy`, template.spec.restartPolicy ?? "", ["Always"]))
  if (template.spec.activeDeadlineSeconds !== undefined)
    out.push(
      field.forbidden(
        `${path}.spec.activeDeadlineSeconds`,
        `activeDeadlineSeconds in ${kind} is not Supported`,
      ),
    )
  return out
}

function goStrategy(strategy: object | undefined): unknown {
  return goStruct(strategy, ["Type", "RollingUpdate"], ["Type"])
}

export function validateDeployment({ spec }: Readonly<Deployment>): FieldError[] {
  const out = notNegative("spec.replicas", spec.replicas)
  const usable = validateSelector(spec.selector, "deployment", out)
  out.push(...validateTemplate(spec.template, spec.selector, usable, "ReplicaSet"))
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
  } else out.push(field.notSupported(path, goStrategy(strategy), ["Recreate", "RollingUpdate"]))
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
  const usable = validateSelector(spec.selector, "deployment", out)
  return [...out, ...validateTemplate(spec.template, spec.selector, usable, "ReplicaSet")]
}

export function validateDaemonSet({ spec }: Readonly<DaemonSet>): FieldError[] {
  const out: FieldError[] = []
  const usable = validateSelector(spec.selector, "daemonset", out)
  out.push(...validateTemplate(spec.template, spec.selector, usable, "DaemonSet"))
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
      const unavailable = amountOf(maxUnavailable) > 0
      const surge = amountOf(maxSurge) > 0
      if (unavailable && surge)
        out.push(field.invalid(`${at}.maxSurge`, maxSurge, "may not be set when maxUnavailable is non-zero"))
      if (!unavailable && !surge)
        out.push(field.required(`${at}.maxUnavailable`, "cannot be 0 when maxSurge is 0"))
    }
  } else if (type !== "OnDelete")
    out.push(field.notSupported(path, goStrategy(spec.updateStrategy), ["RollingUpdate", "OnDelete"]))
  return [...out, ...notNegative("spec.revisionHistoryLimit", spec.revisionHistoryLimit)]
}

export function validateStatefulSet({ spec }: Readonly<StatefulSet>): FieldError[] {
  const out: FieldError[] = []
  const policy = spec.podManagementPolicy
  if (!policy) out.push(field.required("spec.podManagementPolicy", ""))
  else if (policy !== "OrderedReady" && policy !== "Parallel")
    out.push(field.invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'"))
  const strategy = spec.updateStrategy ?? {}
  const path = "spec.updateStrategy"
  if (!strategy.type) out.push(field.required(path, ""))
  else if (strategy.type === "OnDelete") {
    if (strategy.rollingUpdate)
      out.push(
        field.invalid(
          `${path}.rollingUpdate`,
          strategy.rollingUpdate,
          "only allowed for updateStrategy 'RollingUpdate'",
        ),
      )
  } else if (strategy.type === "RollingUpdate") {
    const { partition, maxUnavailable } = strategy.rollingUpdate ?? {}
    out.push(...notNegative(`${path}.rollingUpdate.partition`, partition))
    if (maxUnavailable !== undefined) {
      const at = `${path}.rollingUpdate.maxUnavailable`
      out.push(...validateIntOrPercent(at, maxUnavailable))
      if (amountOf(maxUnavailable) === 0) out.push(field.invalid(at, maxUnavailable, "cannot be 0"))
      out.push(...notMoreThan100Percent(at, maxUnavailable))
    }
  } else out.push(field.invalid(path, goStrategy(strategy), "must be 'RollingUpdate' or 'OnDelete'"))
  const retention = ["Retain", "Delete"]
  const { whenDeleted, whenScaled } = spec.persistentVolumeClaimRetentionPolicy ?? {}
  out.push(
    ...oneOf("spec.persistentVolumeClaimRetentionPolicy.whenDeleted", whenDeleted ?? "Retain", retention),
    ...oneOf("spec.persistentVolumeClaimRetentionPolicy.whenScaled", whenScaled ?? "Retain", retention),
    ...notNegative("spec.replicas", spec.replicas),
    ...notNegative("spec.minReadySeconds", spec.minReadySeconds),
    ...notNegative("spec.ordinals.start", spec.ordinals?.start),
  )
  const usable = validateSelector(spec.selector, "statefulset", out)
  out.push(...validateTemplate(spec.template, spec.selector, usable, "StatefulSet"))
  for (const [i, claim] of (spec.volumeClaimTemplates ?? []).entries())
    out.push(...validateClaimSpec(`spec.volumeClaimTemplates[${i}].spec`, claim.spec))
  return [...out, ...notNegative("spec.revisionHistoryLimit", spec.revisionHistoryLimit)]
}

type Selecting = { readonly spec: { readonly selector?: LabelSelector | undefined } }

/** A workload finds its pods by a selector that never changes. */
export function validateSelectorUpdate(obj: Selecting, old: Selecting): FieldError[] {
  return immutable("spec.selector", obj.spec.selector, old.spec.selector)
}

/** What names a set's pods and their volumes never changes. */
export function validateStatefulSetUpdate(
  set: Readonly<StatefulSet>,
  old: Readonly<StatefulSet>,
): FieldError[] {
  const out: FieldError[] = []
  for (const name of ["selector", "volumeClaimTemplates", "serviceName", "podManagementPolicy"] as const)
    if (!semanticEqual(set.spec[name], old.spec[name]))
      out.push(field.invalid(`spec.${name}`, set.spec[name], immutableMessage))
  return out
}

export function validateControllerRevision({ data, revision }: Readonly<ControllerRevision>): FieldError[] {
  const out: FieldError[] = []
  if (data === undefined || data === null) out.push(field.required("data", "data is mandatory"))
  else if (typeof data !== "object" || Array.isArray(data))
    out.push(field.required("data", "data must be a valid JSON object"))
  return [...out, ...notNegative("revision", revision)]
}
interface ReplicaCounts {
  readonly replicas?: number | undefined
  readonly fullyLabeledReplicas?: number | undefined
  readonly updatedReplicas?: number | undefined
  readonly currentReplicas?: number | undefined
  readonly readyReplicas?: number | undefined
  readonly availableReplicas?: number | undefined
  readonly unavailableReplicas?: number | undefined
  readonly observedGeneration?: number | undefined
  readonly collisionCount?: number | undefined
}

const counts = [
  "updatedReplicas",
  "currentReplicas",
  "fullyLabeledReplicas",
  "readyReplicas",
  "availableReplicas",
] as const

/** Counts that a controller reports; no part is more than the whole. */
export function validateReplicaStatus(
  obj: { readonly status: ReplicaCounts },
  old: { readonly status: ReplicaCounts },
): FieldError[] {
  const { status } = obj
  const out = notNegative("status.replicas", status.replicas)
  for (const name of counts) out.push(...notNegative(`status.${name}`, status[name]))
  out.push(...notNegative("status.observedGeneration", status.observedGeneration))
  const total = status.replicas ?? 0
  for (const name of counts)
    if ((status[name] ?? 0) > total)
      out.push(field.invalid(`status.${name}`, status[name], "cannot be greater than status.replicas"))
  if ((status.availableReplicas ?? 0) > (status.readyReplicas ?? 0))
    out.push(
      field.invalid(
        "status.availableReplicas",
        status.availableReplicas,
        "cannot be greater than readyReplicas",
      ),
    )
  const before = old.status.collisionCount
  if (before !== undefined && (status.collisionCount ?? 0) < before)
    out.push(field.invalid("status.collisionCount", status.collisionCount ?? 0, "cannot be decremented"))
  return out
}
