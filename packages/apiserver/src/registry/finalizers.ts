/** Finalizers and marks of objects that are being deleted. Mirrors: apiserver pkg/registry/generic/registry/store.go */
import { formatTime, type KubeObject, parseTime } from "@knarr/apimachinery"
import type { DeletionOptions } from "./request.ts"
import type { ResourceStorage } from "./storage.ts"

/** Marks an object that waits for its finalizers. */
export function markAsDeleting(obj: KubeObject, nowMs: number): void {
  const { metadata } = obj
  if (!metadata.deletionTimestamp && metadata.generation) metadata.generation++
  if (!metadata.deletionTimestamp || parseTime(metadata.deletionTimestamp) > nowMs) {
    metadata.deletionTimestamp = formatTime(nowMs)
  }
  metadata.deletionGracePeriodSeconds = 0
}

/** Sets the finalizers; none leaves no list behind. */
export function setFinalizers(obj: KubeObject, finalizers: string[]): void {
  if (finalizers.length > 0) obj.metadata.finalizers = finalizers
  else delete obj.metadata.finalizers
}

/** The finalizers that tell the garbage collector what to do with dependents; undefined when they are right already. */
export function finalizersFor(
  storage: ResourceStorage,
  obj: Readonly<KubeObject>,
  options: DeletionOptions,
): string[] | undefined {
  const policy = storage.view.stored.garbageCollectionPolicy
  if (policy === "Unsupported") return undefined
  const old = obj.metadata.finalizers ?? []
  const orphan = wantsOrphans(policy === "OrphanDependents", old, options)
  const foreground = wantsForeground(old, options)
  const kept = old.filter((name) => name !== "orphan" && name !== "foregroundDeletion")
  if (orphan) kept.push("orphan")
  if (foreground) kept.push("foregroundDeletion")
  const same = kept.length === old.length && kept.every((name) => old.includes(name))
  return same ? undefined : kept
}

function wantsOrphans(byDefault: boolean, finalizers: readonly string[], options: DeletionOptions): boolean {
  if (options.orphanDependents !== undefined) return options.orphanDependents
  if (options.propagationPolicy) return options.propagationPolicy === "Orphan"
  for (const name of finalizers) {
    if (name === "orphan") return true
    if (name === "foregroundDeletion") return false
  }
  return byDefault
}

function wantsForeground(finalizers: readonly string[], options: DeletionOptions): boolean {
  if (options.orphanDependents !== undefined) return false
  if (options.propagationPolicy) return options.propagationPolicy === "Foreground"
  for (const name of finalizers) {
    if (name === "foregroundDeletion") return true
    if (name === "orphan") return false
  }
  return false
}
