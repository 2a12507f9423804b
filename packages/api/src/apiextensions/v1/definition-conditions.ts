/**
 * The conditions of a definition, and how it ends: its objects go first. Mirrors: apiextensions pkg/apihelpers,
 * pkg/registry/customresourcedefinition/etcd.go
 */
import { formatTime, parseTime } from "@knarr/apimachinery"
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionCondition,
  CustomResourceDefinitionStatus,
} from "./types.gen.ts"

/** The finalizer that keeps a definition until its objects are gone. */
export const definitionCleanupFinalizer = "customresourcecleanup.apiextensions.k8s.io"

/** `status` with a condition set; its time changes with its status. */
export function withDefinitionCondition(
  status: CustomResourceDefinitionStatus,
  condition: Omit<CustomResourceDefinitionCondition, "lastTransitionTime">,
  nowMs: number,
): CustomResourceDefinitionStatus {
  const conditions = [...(status.conditions ?? [])]
  const at = conditions.findIndex((one) => one.type === condition.type)
  const old = conditions[at]
  const time = old?.status === condition.status ? old.lastTransitionTime : undefined
  const next = { ...condition, lastTransitionTime: time ?? formatTime(nowMs) }
  if (at < 0) conditions.push(next)
  else conditions[at] = { ...old, ...next }
  return { ...status, conditions }
}

/** What the first delete makes of a definition. */
export function beginDefinitionEnd(crd: CustomResourceDefinition): void {
  const { metadata } = crd
  if (!metadata.finalizers?.includes(definitionCleanupFinalizer))
    metadata.finalizers = [...(metadata.finalizers ?? []), definitionCleanupFinalizer]
  crd.status = withDefinitionCondition(
    crd.status ?? {},
    {
      type: "Terminating",
      status: "True",
      reason: "InstanceDeletionPending",
      message: "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
    },
    parseTime(metadata.deletionTimestamp!),
  )
}
