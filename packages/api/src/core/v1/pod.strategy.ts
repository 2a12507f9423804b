/** How pods are made ready for storing. Mirrors: pkg/registry/core/pod/strategy.go */
import { deepClone, formatTime } from "@knarr/apimachinery"
import type { StrategyContext } from "@knarr/apimachinery"
import { applyAppArmorAnnotations } from "./app-armor.ts"
import { dropDisabledFields } from "./pod-disabled-fields.ts"
import { completePodLevelResources } from "./pod-level-resources.ts"
import { qosClassOf } from "./pod.qos.ts"
import type { Pod, PodAffinityTerm, TopologySpreadConstraint } from "./types.gen.ts"

export function preparePodForCreate(pod: Pod, ctx: StrategyContext): void {
  pod.status = { phase: "Pending" }
  dropDisabledFields(pod.spec)
  if (pod.spec.schedulingGates?.length) {
    pod.status.conditions = [
      {
        type: "PodScheduled",
        status: "False",
        lastTransitionTime: formatTime(ctx.nowMs),
        reason: "SchedulingGated",
        message: "Scheduling is blocked due to non-empty scheduling gates",
      },
    ]
  }
  applyAppArmorAnnotations(pod, (text) => ctx.warn?.(text))
  mergeMatchLabelKeys(pod)
  completePodLevelResources(pod.spec)
  pod.status.qosClass = qosClassOf(pod)
}

export function preparePodForUpdate(pod: Pod, old: Readonly<Pod>): void {
  // A client that does not know the field must not drop it.
  if (!pod.spec.resources && old.spec.resources) pod.spec.resources = deepClone(old.spec.resources)
  dropDisabledFields(pod.spec)
}

export function preparePodForStatusUpdate(pod: Pod, old: Readonly<Pod>): void {
  const { status } = pod
  pod.metadata.deletionTimestamp = old.metadata.deletionTimestamp
  pod.metadata.ownerReferences = old.metadata.ownerReferences
  // Of features that are off.
  delete status.volumeHealth
  delete status.nodeAllocatableResourceClaimStatuses
  status.qosClass ||= old.status.qosClass
  status.resourceClaimStatuses ??= old.status.resourceClaimStatuses
  status.extendedResourceClaimStatus ??= old.status.extendedResourceClaimStatus
  status.observedGeneration ||= old.status.observedGeneration
  for (const name of Object.keys(status) as (keyof Pod["status"])[])
    if (status[name] === undefined) delete status[name]
}

/** Turns `matchLabelKeys` and `mismatchLabelKeys` into requirements on the pod's own labels. */
function mergeMatchLabelKeys({ metadata, spec }: Pod): void {
  const { podAffinity, podAntiAffinity } = spec.affinity ?? {}
  for (const affinity of [podAffinity, podAntiAffinity]) {
    affinity?.preferredDuringSchedulingIgnoredDuringExecution?.forEach(({ podAffinityTerm }) =>
      merge(podAffinityTerm, metadata.labels),
    )
    affinity?.requiredDuringSchedulingIgnoredDuringExecution?.forEach((term) => merge(term, metadata.labels))
  }
  for (const constraint of spec.topologySpreadConstraints ?? []) merge(constraint, metadata.labels)
}

function merge(
  term: PodAffinityTerm | TopologySpreadConstraint,
  labels: Readonly<Record<string, string>> | undefined,
): void {
  const selector = term.labelSelector
  if (!selector) return
  const add = (keys: readonly string[] | undefined, operator: string): void => {
    for (const key of keys ?? []) {
      const value = labels?.[key]
      if (value !== undefined) (selector.matchExpressions ??= []).push({ key, operator, values: [value] })
    }
  }
  add(term.matchLabelKeys, "In")
  if ("mismatchLabelKeys" in term) add(term.mismatchLabelKeys, "NotIn")
}
