/**
 * Writes the objects of a resource anew when a StorageVersionMigration asks for it, so that all are stored in the
 * present version; a definition of custom resources is then told that no other version is stored. Objects are listed
 * from the API itself, so none of an older state is missed.
 * Mirrors: pkg/controller/storageversionmigrator
 */
import { storageVersionMigration, type storagemigrationV1 } from "@knarr/api"
import {
  deepClone,
  formatTime,
  goQuote,
  refOf,
  setCondition,
  type Kind,
  type KubeObject,
} from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import {
  allow,
  defineController,
  type Controller,
  type ReconcileContext,
  type ReconcileResult,
} from "@knarr/controller-kit"
import { tellEnded, tellStarted } from "./definition.ts"
import { isRival, migratedVerbs, nextStep, patienceMs, runningMessage } from "./migration-plan.ts"
import { passesBy, writeAnew } from "./write-anew.ts"

const name = "storage-version-migrator-controller"
const againMs = 1000

type Migration = storagemigrationV1.StorageVersionMigration

export const storageVersionMigratorController: Controller = defineController<Migration>({
  name,
  aliases: ["svm"],
  queueName: "resource-version-controller",
  serviceAccount: name,
  rbac: [
    allow("*", "*", "list patch"),
    allow("apiextensions.k8s.io", "customresourcedefinitions", "get"),
    allow("apiextensions.k8s.io", "customresourcedefinitions/status", "patch"),
    allow("storagemigration.k8s.io", "storageversionmigrations/status", "update"),
  ],
  for: storageVersionMigration,
  watches: [
    {
      // The next of the same resource has its turn when this one ends or goes.
      kind: storageVersionMigration,
      map: (one: Migration, cache) =>
        cache
          .list(storageVersionMigration)
          .filter((other) => isRival(one, other))
          .map((other) => refOf(other)),
    },
  ],
  async reconcile(ref, ctx) {
    const cached = ctx.cache.get(storageVersionMigration, ref)
    if (!cached) return undefined
    const step = nextStep(cached, ctx.cache.list(storageVersionMigration))
    const migration = deepClone(cached)
    switch (step) {
      case "start":
        await tellStarted(migration, ctx)
        return write(migration, ctx, { Running: ["True", "MigrationRunning", runningMessage(0, 0)] })
      case "record":
        return record(migration, ctx)
      case "migrate":
        return migrate(migration, ctx)
      case "settle":
        await tellEnded(migration, ctx)
        return write(migration, ctx, { Running: ["False", "MigrationCompleted", "Migration completed"] })
      default:
        return undefined
    }
  },
})

type Conditions = Readonly<
  Record<string, readonly [status: "True" | "False", reason: string, message: string]>
>

async function write(
  migration: Migration,
  { client, clock, signal }: ReconcileContext,
  conditions: Conditions,
): Promise<undefined> {
  const list = (migration.status.conditions ??= [])
  for (const [type, [status, reason, message]] of Object.entries(conditions))
    setCondition(list, { type, status, reason, message }, formatTime(clock.now()))
  await client.update(storageVersionMigration, migration, { subresource: "status", signal })
}

const failed = (message: string): Conditions => ({
  Failed: ["True", "StorageVersionMigrationFailed", message],
})
const unhandled = (why: string): string => `migration encountered unhandled error: ${why}`

function kindOf({ spec }: Migration, { served }: ReconcileContext): Kind<KubeObject> | undefined {
  const { group, resource } = spec.resource
  return served.list().find((kind) => kind.group === group && kind.plural === resource)
}

/** A resource may have been defined a moment ago. */
function isPatient({ metadata }: Migration, { clock }: ReconcileContext): boolean {
  return clock.now() - Date.parse(metadata.creationTimestamp) < patienceMs
}

/** Notes the revision up to which objects are written anew. Mirrors: resourceversion.go */
async function record(migration: Migration, ctx: ReconcileContext): Promise<ReconcileResult> {
  const kind = kindOf(migration, ctx)
  if (!kind) {
    if (isPatient(migration, ctx)) return { afterMs: againMs }
    return write(migration, ctx, failed("resource does not exist in discovery"))
  }
  const resource = `${kind.group}/${kind.version}, Resource=${kind.plural}`
  if (!migratedVerbs.every((verb) => kind.verbs.includes(verb)))
    return write(
      migration,
      ctx,
      failed(
        `resource ${goQuote(resource)} does not support discovery operations: [${migratedVerbs.join(" ")}]`,
      ),
    )
  const { metadata } = await ctx.client.list(kind, { limit: 1, signal: ctx.signal })
  const { resourceVersion = "" } = metadata
  if (!/^[1-9]\d*$/.test(resourceVersion)) {
    const why = `resource version is not well formed: ${resourceVersion}`
    return write(migration, ctx, failed(`latest resourceVersion for ${resource} is not valid: ${why}`))
  }
  migration.status.resourceVersion = resourceVersion
  return write(migration, ctx, {})
}

async function migrate(migration: Migration, ctx: ReconcileContext): Promise<ReconcileResult> {
  const kind = kindOf(migration, ctx)
  if (!kind) {
    if (isPatient(migration, ctx)) return { afterMs: againMs }
    return write(migration, ctx, failed(unhandled("unable to obtain GVR from discovery")))
  }
  const { client, signal } = ctx
  const revision = migration.status.resourceVersion!
  const { total, left, failure } = await writeAnew(client, kind, revision, { fieldManager: name, signal })
  const running = (transient?: string): Conditions => ({
    Running: ["True", "MigrationRunning", runningMessage(left, total, transient)],
  })
  if (failure === undefined)
    return write(migration, ctx, {
      ...running(),
      Succeeded: ["True", "StorageVersionMigrationSucceeded", "Migration completed"],
    })
  const why = messageOf(failure)
  if (!passesBy(failure))
    return write(migration, ctx, {
      ...running(),
      ...failed(`${left}/${total} not yet migrated. ${unhandled(why)}`),
    })
  await write(migration, ctx, running(why))
  throw failure
}
