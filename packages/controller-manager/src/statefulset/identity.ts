/** Names, claims and revisions of a stateful set's pods. Pure. Mirrors: pkg/controller/statefulset/stateful_set_utils.go */
import {
  statefulSet,
  type PersistentVolumeClaim,
  type Pod,
  type PodTemplateSpec,
  type StatefulSet,
} from "@knarr/api"
import { deepClone, newControllerRef } from "@knarr/apimachinery"
import { revisionHashLabel } from "../workload/controller-revisions.ts"
import { podFromTemplate, type PodDraft } from "../workload/pod-control.ts"
import { isPodAvailable, isPodReady } from "../workload/pod-state.ts"

export const podNameLabel = "statefulset.kubernetes.io/pod-name"
const podIndexLabel = "apps.kubernetes.io/pod-index"

/** The ordinal in a pod's name; -1 when the name is not one of the set's. */
export function ordinalOf(set: StatefulSet, pod: Pod): number {
  const prefix = `${set.metadata.name}-`
  const text = pod.metadata.name.startsWith(prefix) ? pod.metadata.name.slice(prefix.length) : ""
  return /^(0|[1-9]\d*)$/.test(text) ? Number(text) : -1
}

export const startOrdinal = (set: StatefulSet): number => set.spec.ordinals?.start ?? 0
export const replicasOf = (set: StatefulSet): number => set.spec.replicas ?? 1
const podName = (set: StatefulSet, ordinal: number): string => `${set.metadata.name}-${ordinal}`
export const podRevision = (pod: Pod): string => pod.metadata.labels?.[revisionHashLabel] ?? ""
export const isTerminating = (pod: Pod): boolean => Boolean(pod.metadata.deletionTimestamp)
export const isCreated = (pod: Pod): boolean => Boolean(pod.status?.phase)
export const isRunningAndReady = (pod: Pod): boolean => pod.status?.phase === "Running" && isPodReady(pod)

export function isHealthy(pod: Pod): boolean {
  return isRunningAndReady(pod) && !isTerminating(pod)
}

export function isAvailable(set: StatefulSet, pod: Pod, nowMs: number): boolean {
  return isRunningAndReady(pod) && isPodAvailable(pod, set.spec.minReadySeconds ?? 0, nowMs)
}

/** The claim of a template for one pod. */
export function claimName(set: StatefulSet, template: PersistentVolumeClaim, ordinal: number): string {
  return `${template.metadata.name}-${set.metadata.name}-${ordinal}`
}

export type ClaimDraft = Pick<PersistentVolumeClaim, "spec"> & {
  metadata: Partial<PersistentVolumeClaim["metadata"]>
}

export function claimsFor(set: StatefulSet, ordinal: number): ClaimDraft[] {
  return (set.spec.volumeClaimTemplates ?? []).map((template) => ({
    metadata: {
      name: claimName(set, template, ordinal),
      namespace: set.metadata.namespace,
      labels: { ...template.metadata.labels, ...set.spec.selector.matchLabels },
      annotations: { ...template.metadata.annotations },
    },
    spec: deepClone(template.spec),
  }))
}

/** The pod for an ordinal, from a revision's template. */
export function podFor(
  set: StatefulSet,
  template: PodTemplateSpec,
  revision: string,
  ordinal: number,
): PodDraft {
  const draft = podFromTemplate(template, set, statefulSet)
  const name = podName(set, ordinal)
  draft.metadata.name = name
  draft.metadata.labels = {
    ...draft.metadata.labels,
    [podNameLabel]: name,
    [podIndexLabel]: String(ordinal),
    [revisionHashLabel]: revision,
  }
  draft.spec.hostname = name
  if (set.spec.serviceName) draft.spec.subdomain = set.spec.serviceName
  const templates = set.spec.volumeClaimTemplates ?? []
  const own = templates.map((one) => ({
    name: one.metadata.name,
    persistentVolumeClaim: { claimName: claimName(set, one, ordinal), readOnly: false },
  }))
  const replaced = new Set(own.map((volume) => volume.name))
  const volumes = [...own, ...(draft.spec.volumes ?? []).filter((volume) => !replaced.has(volume.name))]
  if (volumes.length > 0) draft.spec.volumes = volumes
  return draft
}

/** True when the pod carries the name label and the volumes that the set gives it. */
export function hasIdentity(set: StatefulSet, pod: Pod): boolean {
  const ordinal = ordinalOf(set, pod)
  if (pod.metadata.labels?.[podNameLabel] !== pod.metadata.name) return false
  return (set.spec.volumeClaimTemplates ?? []).every((template) =>
    pod.spec.volumes?.some(
      (volume) =>
        volume.name === template.metadata.name &&
        volume.persistentVolumeClaim?.claimName === claimName(set, template, ordinal),
    ),
  )
}

/**
 * Who owns a claim by the set's retention policy: the set when claims go with it, the pod when claims go on
 * scaling down and the pod is condemned. Other owners are kept.
 */
export function claimOwners(
  set: StatefulSet,
  pod: Pod,
  claim: PersistentVolumeClaim,
): PersistentVolumeClaim["metadata"]["ownerReferences"] {
  const { whenDeleted = "Retain", whenScaled = "Retain" } =
    set.spec.persistentVolumeClaimRetentionPolicy ?? {}
  const ordinal = ordinalOf(set, pod)
  const condemned = ordinal < startOrdinal(set) || ordinal >= startOrdinal(set) + replicasOf(set)
  const others = (claim.metadata.ownerReferences ?? []).filter(
    (ref) => ref.uid !== set.metadata.uid && !(ref.kind === "Pod" && ref.name === pod.metadata.name),
  )
  if (whenScaled === "Delete" && condemned) {
    return [...others, newControllerRef(pod, { apiVersion: "v1", kind: "Pod" })]
  }
  return whenDeleted === "Delete" ? [...others, newControllerRef(set, statefulSet)] : others
}
