/**
 * What a migration of stored versions needs next, and what its conditions say. Pure.
 * Mirrors: pkg/controller/storageversionmigrator/{migrationrunner,util}.go
 */
import type { storagemigrationV1 } from "@knarr/api"
import { isConditionTrue } from "@knarr/apimachinery"

/**
 * `start`: its turn has come. `record`: it has to be told up to which revision objects are written anew. `migrate`:
 * they can be. `settle`: it has ended, and is to say that it runs no more.
 */
export type Step = "wait" | "start" | "record" | "migrate" | "settle" | "nothing"

type Migration = Readonly<storagemigrationV1.StorageVersionMigration>

/** How long a resource that nobody serves is waited for, from the migration's creation. */
export const patienceMs = 60_000

export const migratedVerbs = ["update", "patch", "list"] as const

function hasEnded({ status }: Migration): boolean {
  return isConditionTrue(status.conditions, "Succeeded") || isConditionTrue(status.conditions, "Failed")
}

function isRunning({ status }: Migration): boolean {
  return isConditionTrue(status.conditions, "Running")
}

/** Whether two migrations are of the same resource: only one of these runs at a time, the oldest first. */
export function isRival(one: Migration, other: Migration): boolean {
  const { group, resource } = one.spec.resource
  return (
    one.metadata.name !== other.metadata.name &&
    group === other.spec.resource.group &&
    resource === other.spec.resource.resource
  )
}

export function nextStep(one: Migration, all: readonly Migration[]): Step {
  if (hasEnded(one)) return isRunning(one) ? "settle" : "nothing"
  if (isRunning(one)) return one.status.resourceVersion ? "migrate" : "record"
  const isFirst = all.every(
    (other) => !isRival(one, other) || !(isRunning(other) || (!hasEnded(other) && isBefore(other, one))),
  )
  return isFirst ? "start" : "wait"
}

function isBefore({ metadata: a }: Migration, { metadata: b }: Migration): boolean {
  const [aMs, bMs] = [Date.parse(a.creationTimestamp), Date.parse(b.creationTimestamp)]
  return aMs === bMs ? a.name! < b.name! : aMs < bMs
}

export function runningMessage(left: number, total: number, transient?: string): string {
  const text = "The migration is running"
  const counted =
    total === 0
      ? ""
      : left > 0
        ? `, ${left}/${total} objects not yet migrated`
        : `, ${total} objects verified migrated`
  return text + counted + (transient === undefined ? "" : `; transient error: ${transient}`)
}
