/** How many replicas each revision gets. Pure. Mirrors: pkg/controller/deployment/util/deployment_util.go */
import type { Deployment, ReplicaSet } from "@knarr/api"
import { scaledValueFromIntOrPercent } from "@knarr/apimachinery"

export const revisionAnnotation = "deployment.kubernetes.io/revision"
export const revisionHistoryAnnotation = "deployment.kubernetes.io/revision-history"
export const desiredReplicasAnnotation = "deployment.kubernetes.io/desired-replicas"
export const maxReplicasAnnotation = "deployment.kubernetes.io/max-replicas"

export function replicasOf(obj: Deployment | ReplicaSet): number {
  return obj.spec.replicas ?? 1
}

export function isRolling(d: Deployment): boolean {
  return d.spec.strategy?.type !== "Recreate"
}

/** `maxSurge` and `maxUnavailable` in pods; never both zero. */
function fenceposts(d: Deployment): { surge: number; unavailable: number } {
  const rolling = d.spec.strategy?.rollingUpdate
  const surge = scaledValueFromIntOrPercent(rolling?.maxSurge ?? 0, replicasOf(d), true)
  const unavailable = scaledValueFromIntOrPercent(rolling?.maxUnavailable ?? 0, replicasOf(d), false)
  return { surge, unavailable: surge === 0 && unavailable === 0 ? 1 : unavailable }
}

export function maxSurge(d: Deployment): number {
  return isRolling(d) ? fenceposts(d).surge : 0
}

export function maxUnavailable(d: Deployment): number {
  if (!isRolling(d) || replicasOf(d) === 0) return 0
  return Math.min(fenceposts(d).unavailable, replicasOf(d))
}

export function sum(sets: readonly ReplicaSet[], read: (rs: ReplicaSet) => number): number {
  return sets.reduce((total, rs) => total + read(rs), 0)
}

export const specReplicas = (sets: readonly ReplicaSet[]): number => sum(sets, replicasOf)
export const actualReplicas = (sets: readonly ReplicaSet[]): number =>
  sum(sets, (rs) => rs.status?.replicas ?? 0)
export const availableReplicas = (sets: readonly ReplicaSet[]): number =>
  sum(sets, (rs) => rs.status?.availableReplicas ?? 0)

/** How large the new revision may be now. */
export function newReplicaSetSize(d: Deployment, all: readonly ReplicaSet[], newSize: number): number {
  if (!isRolling(d)) return replicasOf(d)
  const room = replicasOf(d) + maxSurge(d) - specReplicas(all)
  if (room <= 0) return newSize
  return newSize + Math.min(room, replicasOf(d) - newSize)
}

export function isSaturated(d: Deployment, newSet: ReplicaSet | undefined): boolean {
  if (!newSet) return false
  return (
    replicasOf(newSet) === replicasOf(d) &&
    Number(newSet.metadata.annotations?.[desiredReplicasAnnotation] ?? "") === replicasOf(d) &&
    newSet.metadata.annotations?.[desiredReplicasAnnotation] !== undefined &&
    (newSet.status?.availableReplicas ?? 0) === replicasOf(d)
  )
}

export const byCreation = (a: ReplicaSet, b: ReplicaSet): number =>
  compareText(a.metadata.creationTimestamp, b.metadata.creationTimestamp) ||
  compareText(a.metadata.name, b.metadata.name)

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

export interface NewSize {
  readonly set: ReplicaSet
  readonly size: number
}

/** Spreads a change of the deployment's size over its revisions, in proportion to theirs. */
export function proportionalSizes(d: Deployment, active: readonly ReplicaSet[]): NewSize[] {
  const allowed = replicasOf(d) > 0 ? replicasOf(d) + maxSurge(d) : 0
  const toAdd = allowed - specReplicas(active)
  const sign = toAdd > 0 ? -1 : 1
  const sorted = [...active].sort((a, b) => replicasOf(b) - replicasOf(a) || sign * byCreation(a, b))
  let added = 0
  const sizes = sorted.map((set) => {
    if (toAdd === 0) return { set, size: replicasOf(set) }
    const share = proportion(set, d, toAdd, added)
    added += share
    return { set, size: replicasOf(set) + share }
  })
  if (sizes[0] && toAdd !== 0) sizes[0].size = Math.max(0, sizes[0].size + toAdd - added)
  return sizes
}

function proportion(set: ReplicaSet, d: Deployment, toAdd: number, added: number): number {
  if (replicasOf(set) === 0 || toAdd === added) return 0
  const share = fraction(set, d)
  const left = toAdd - added
  return toAdd > 0 ? Math.min(share, left) : Math.max(share, left)
}

function fraction(set: ReplicaSet, d: Deployment): number {
  if (replicasOf(d) === 0) return -replicasOf(set)
  const annotated = intAnnotation(set, maxReplicasAnnotation)
  const before = annotated ?? d.status?.replicas ?? 0
  if (before === 0) return 0
  const size = (replicasOf(set) * (replicasOf(d) + maxSurge(d))) / before
  return Math.floor(size + 0.5) - replicasOf(set)
}

export function intAnnotation(set: ReplicaSet, name: string): number | undefined {
  const text = set.metadata.annotations?.[name]
  return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined
}

/** How far each old revision is to shrink: first replicas that are not healthy, then what availability allows. */
export function shrinkOld(
  d: Deployment,
  all: readonly ReplicaSet[],
  old: readonly ReplicaSet[],
  newSet: ReplicaSet | undefined,
): NewSize[] {
  if (specReplicas(old) === 0) return []
  const minAvailable = replicasOf(d) - maxUnavailable(d)
  const newUnavailable = newSet ? replicasOf(newSet) - (newSet.status?.availableReplicas ?? 0) : 0
  const maxDown = specReplicas(all) - minAvailable - newUnavailable
  if (maxDown <= 0) return []
  const sizes = new Map(old.map((set) => [set.metadata.uid, replicasOf(set)]))
  const sorted = [...old].sort(byCreation)
  let total = 0
  for (const set of sorted) {
    if (total >= maxDown) break
    const unhealthy = replicasOf(set) - (set.status?.availableReplicas ?? 0)
    if (replicasOf(set) === 0 || unhealthy <= 0) continue
    const count = Math.min(maxDown - total, unhealthy)
    sizes.set(set.metadata.uid, replicasOf(set) - count)
    total += count
  }
  const spare = availableReplicas(all) - minAvailable
  let down = 0
  for (const set of sorted) {
    const size = sizes.get(set.metadata.uid)!
    if (down >= spare) break
    if (size === 0) continue
    const count = Math.min(size, spare - down)
    sizes.set(set.metadata.uid, size - count)
    down += count
  }
  return sorted
    .map((set) => ({ set, size: sizes.get(set.metadata.uid)! }))
    .filter(({ set, size }) => size !== replicasOf(set))
}

export function revisionOf(set: ReplicaSet): bigint {
  return parseRevision(set.metadata.annotations?.[revisionAnnotation])
}

/** A revision number has 64 bits, more than a double holds; what is none counts as 0. */
export function parseRevision(text: string | undefined): bigint {
  return text !== undefined && /^-?\d{1,19}$/.test(text) ? BigInt(text) : 0n
}

/** The old revisions to delete beyond the history limit, oldest first. */
export function surplusHistory(d: Deployment, old: readonly ReplicaSet[]): ReplicaSet[] {
  const limit = d.spec.revisionHistoryLimit ?? 10
  const alive = old.filter((set) => !set.metadata.deletionTimestamp)
  if (limit === 2147483647 || alive.length <= limit) return []
  return [...alive]
    .sort((a, b) => Number(revisionOf(a) - revisionOf(b)) || byCreation(a, b))
    .slice(0, alive.length - limit)
    .filter(
      (set) =>
        (set.status?.replicas ?? 0) === 0 &&
        replicasOf(set) === 0 &&
        (set.metadata.generation ?? 0) <= (set.status?.observedGeneration ?? 0),
    )
}
