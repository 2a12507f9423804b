/** Validation of pods: on create, update and of their status. Mirrors: pkg/apis/core/validation/validation.go */
import { deepClone, field, isQualifiedName, nameIsDNSSubdomain, semanticEqual } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { immutable, maxInt32, notNegative, reasons } from "../../checks.ts"
import { validateImageSpace } from "./container.validate.ts"
import { validatePodAnnotations, validatePodSpec } from "./pod-spec.validate.ts"
import { validateStatusFields } from "./pod-status.validate.ts"
import { goDiff } from "../../unified-diff.ts"
import type { Container, ContainerStatus, NodeAffinity, Pod, PodSpec, Toleration } from "./types.gen.ts"

const mirrorAnnotation = "kubernetes.io/config.mirror"

/** Rules that hold for a pod however it is written. */
export function validatePod(pod: Readonly<Pod>): FieldError[] {
  const { metadata, spec } = pod
  const out = validatePodAnnotations("metadata.annotations", metadata.annotations, spec)
  out.push(...validatePodSpec("spec", spec, metadata.name ?? ""))
  if (!spec.serviceAccountName) {
    for (const [i, volume] of (spec.volumes ?? []).entries())
      for (const [j, source] of (volume.projected?.sources ?? []).entries())
        if (source.serviceAccountToken)
          out.push(
            field.forbidden(
              `spec.volumes[${i}].projected.sources[${j}].serviceAccountToken`,
              "must not be specified when serviceAccountName is not set",
            ),
          )
  }
  out.push(...notNegative("spec.terminationGracePeriodSeconds", spec.terminationGracePeriodSeconds))
  for (const kind of ["containers", "initContainers"] as const)
    for (const [i, container] of (spec[kind] ?? []).entries())
      out.push(...validateImageSpace(`spec.${kind}[${i}]`, container.image))
  // A pod that was never stored has no revision: it is being created.
  if (!metadata.resourceVersion) out.push(...validateNew(spec))
  return out
}

function validateNew(spec: PodSpec): FieldError[] {
  const out: FieldError[] = []
  if (spec.ephemeralContainers?.length)
    out.push(field.forbidden("spec.ephemeralContainers", "cannot be set on create"))
  if (spec.nodeName && spec.schedulingGates?.length)
    out.push(field.forbidden("spec.nodeName", "cannot be set until all schedulingGates have been cleared"))
  return out
}

const updatable = [
  "`spec.containers[*].image`",
  "`spec.initContainers[*].image`",
  "`spec.activeDeadlineSeconds`",
  "`spec.tolerations` (only additions to existing tolerations)",
  "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
].join(",")

/** What may change in a pod: images, the deadline, more tolerations, fewer gates, and placement while it is gated. */
export function validatePodUpdate(pod: Readonly<Pod>, old: Readonly<Pod>): FieldError[] {
  const out = annotationUpdates(pod, old)
  const { spec } = pod
  for (const kind of ["containers", "initContainers"] as const) {
    const now = spec[kind] ?? []
    if (now.length !== (old.spec[kind] ?? []).length) {
      out.push(field.forbidden(`spec.${kind}`, "pod updates may not add or remove containers"))
      return out
    }
    for (const [i, { image }] of now.entries()) {
      if (!image) out.push(field.required(`spec.${kind}[${i}].image`, ""))
      else out.push(...validateImageSpace(`spec.${kind}[${i}]`, image))
    }
  }
  const path = "spec.activeDeadlineSeconds"
  const deadline = spec.activeDeadlineSeconds
  const oldDeadline = old.spec.activeDeadlineSeconds
  if (deadline !== undefined) {
    if (deadline < 0 || deadline > maxInt32)
      return [...out, field.invalid(path, deadline, `must be between 0 and ${maxInt32}, inclusive`)]
    if (oldDeadline !== undefined && oldDeadline < deadline)
      return [...out, field.invalid(path, deadline, "must be less than or equal to previous value")]
  } else if (oldDeadline !== undefined) {
    out.push(field.invalid(path, undefined, "must not update from a positive integer to nil value"))
  }
  out.push(...onlyAddedTolerations(spec.tolerations ?? [], old.spec.tolerations ?? []))
  const gates = new Set((old.spec.schedulingGates ?? []).map(({ name }) => name))
  for (const [i, { name }] of (spec.schedulingGates ?? []).entries())
    if (!gates.has(name))
      out.push(
        field.forbidden(
          `spec.schedulingGates[${i}].name`,
          `only deletion is allowed, but found new scheduling gate '${name}'`,
        ),
      )
  if (semanticEqual(spec, old.spec)) return out

  const munged = deepClone(spec) as PodSpec
  const keepImages = (now: Container[] | undefined, was: readonly Container[] | undefined): void =>
    now?.forEach((container, i) => {
      container.image = was?.[i]?.image
    })
  keepImages(munged.containers, old.spec.containers)
  keepImages(munged.initContainers, old.spec.initContainers)
  munged.activeDeadlineSeconds = oldDeadline
  munged.schedulingGates = old.spec.schedulingGates
  munged.tolerations = old.spec.tolerations
  const grace = old.spec.terminationGracePeriodSeconds
  if (grace !== undefined && grace < 0 && munged.terminationGracePeriodSeconds === 1)
    munged.terminationGracePeriodSeconds = grace
  if (old.spec.schedulingGates?.length) out.push(...placementOfGated(munged, old.spec))
  if (!semanticEqual(munged, old.spec)) {
    const changed = goDiff("core.PodSpec", old.spec, munged)
    const detail = `pod updates may not change fields other than ${updatable}\n${changed}`
    out.push(field.forbidden("spec", detail))
  }
  return out
}

function annotationUpdates(pod: Readonly<Pod>, old: Readonly<Pod>): FieldError[] {
  const out: FieldError[] = []
  const now = pod.metadata.annotations ?? {}
  const was = old.metadata.annotations ?? {}
  const at = (name: string): string => `metadata.annotations[${name}]`
  for (const name of Object.keys(was))
    if (name === mirrorAnnotation && now[name] !== was[name])
      out.push(field.forbidden(at(name), "may not remove or update mirror pod annotation"))
  for (const name of Object.keys(now))
    if (name === mirrorAnnotation && was[name] === undefined)
      out.push(field.forbidden(at(name), "may not add mirror pod annotation"))
  return out
}

function onlyAddedTolerations(now: readonly Toleration[], was: readonly Toleration[]): FieldError[] {
  const key = ({ tolerationSeconds: _, ...rest }: Toleration): string =>
    [rest.key, rest.operator || "Equal", rest.value, rest.effect].map((part) => part ?? "").join("\0")
  const there = new Set(now.map(key))
  if (was.every((toleration) => there.has(key(toleration)))) return []
  return [
    field.forbidden(
      "spec.tolerations",
      "existing toleration can not be modified except its tolerationSeconds",
    ),
  ]
}

const nodeSelectorDetail = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
const required = "requiredDuringSchedulingIgnoredDuringExecution"

/** A gated pod's placement may get narrower. Puts the old placement back into `munged`. */
function placementOfGated(munged: PodSpec, old: Readonly<PodSpec>): FieldError[] {
  const out: FieldError[] = []
  const was = old.nodeSelector ?? {}
  for (const name of Object.keys(was)) {
    if (munged.nodeSelector?.[name] === was[name]) continue
    out.push(field.invalid("spec.nodeSelector", munged.nodeSelector, nodeSelectorDetail))
    break
  }
  munged.nodeSelector = old.nodeSelector
  const before = old.affinity?.nodeAffinity
  const after = munged.affinity?.nodeAffinity
  if (!semanticEqual(before, after)) {
    out.push(...nodeAffinityOfGated(after, before))
    const { nodeAffinity: _, ...others } = munged.affinity ?? {}
    if (Object.keys(others).length > 0 || before)
      munged.affinity = before ? { ...others, nodeAffinity: before } : others
    else munged.affinity = undefined
  }
  return out
}

function nodeAffinityOfGated(now: NodeAffinity | undefined, was: NodeAffinity | undefined): FieldError[] {
  const before = was?.[required]
  if (!before) return []
  const path = "spec.affinity.nodeAffinity"
  const terms = now?.[required]?.nodeSelectorTerms ?? []
  const oldTerms = before.nodeSelectorTerms
  if (terms.length !== oldTerms.length) {
    const detail = "no additions/deletions to non-empty NodeSelectorTerms list are allowed"
    return [field.invalid(`${path}.${required}.nodeSelectorTerms`, terms, detail)]
  }
  const narrower = (list: readonly unknown[] | undefined, of: readonly unknown[] | undefined): boolean =>
    (of ?? []).every((item, i) => semanticEqual(item, list?.[i]))
  const out: FieldError[] = []
  oldTerms.forEach((old, i) => {
    const term = terms[i]!
    const kept =
      narrower(term.matchExpressions, old.matchExpressions) && narrower(term.matchFields, old.matchFields)
    const empty = !old.matchExpressions?.length && !old.matchFields?.length
    if (!kept || (empty && (term.matchExpressions?.length || term.matchFields?.length))) {
      const detail = "only additions are allowed (no mutations or deletions)"
      out.push(field.invalid(`${path}.${required}.nodeSelectorTerms[${i}]`, term, detail))
    }
  })
  return out
}

/** The status as the kubelet and others report it. */
export function validatePodStatusUpdate(pod: Readonly<Pod>, old: Readonly<Pod>): FieldError[] {
  const { status } = pod
  const out = annotationUpdates(pod, old)
  for (const [i, { type }] of (status.conditions ?? []).entries())
    if (!standardConditions.has(type))
      out.push(...reasons(`status.conditions[${i}].Type`, type, isQualifiedName(type)))
  if (pod.spec.nodeName !== old.spec.nodeName)
    out.push(field.forbidden("status.nodeName", "may not be changed directly"))
  const nominated = status.nominatedNodeName
  if (nominated && nominated !== old.status.nominatedNodeName) {
    out.push(...reasons("status.nominatedNodeName", nominated, nameIsDNSSubdomain(nominated, false)))
    if (old.spec.nodeName)
      out.push(
        field.forbidden(
          "status.nominatedNodeName",
          "may not be set on pods that are already bound to a node",
        ),
      )
  }
  if ((status.observedGeneration ?? 0) < 0)
    out.push(
      field.invalid("status.observedGeneration", status.observedGeneration, "must be a non-negative integer"),
    )
  out.push(...immutable("status.qosClass", status.qosClass ?? "", old.status.qosClass ?? ""))
  const restarts = old.spec.restartPolicy
  out.push(
    ...stateTransitions("status.containerStatuses", status.containerStatuses, old, restarts),
    ...validateStatusFields(pod),
  )
  return out
}

const standardConditions = new Set(["PodScheduled", "Ready", "Initialized"])

/** A container that ended for good does not start again. */
function stateTransitions(
  path: string,
  statuses: readonly ContainerStatus[] | undefined,
  old: Readonly<Pod>,
  restartPolicy: string | undefined,
): FieldError[] {
  if (restartPolicy === "Always") return []
  const out: FieldError[] = []
  const places = new Map((statuses ?? []).map(({ name }, i) => [name, i]).reverse() as [string, number][])
  const rules = new Map(old.spec.containers.map((container) => [container.name, container]))
  for (const before of old.status.containerStatuses ?? []) {
    const ended = before.state?.terminated
    if (!ended) continue
    const container = rules.get(before.name)
    if (ended.exitCode !== 0 && restartPolicy === "OnFailure") continue
    if (container?.restartPolicy !== undefined || container?.restartPolicyRules?.length) continue
    const at = places.get(before.name)
    if (at !== undefined && !statuses![at]!.state?.terminated)
      out.push(field.forbidden(`${path}[${at}].state`, "may not be transitioned to non-terminated state"))
  }
  return out
}
