/**
 * What the definition of custom resources says of their migration, and its stored versions afterwards.
 * Mirrors: pkg/controller/storageversionmigrator/migrationrunner.go (markAsActive, finishCRDMigration)
 */
import { customResourceDefinition, type CustomResourceDefinition, type storagemigrationV1 } from "@knarr/api"
import { formatTime, isConditionTrue, isNotFound } from "@knarr/apimachinery"
import type { ReconcileContext } from "@knarr/controller-kit"

const fieldManager = "migration-runner-controller"
const type = "StorageMigrating"

type Context = Pick<ReconcileContext, "client" | "clock" | "signal">
type Migration = Readonly<storagemigrationV1.StorageVersionMigration>

/** Nothing when the resource has no definition. */
export async function tellStarted(migration: Migration, ctx: Context): Promise<void> {
  const definition = await definitionOf(migration, ctx)
  if (!definition) return
  const message = `Migration ${migration.metadata.name} is running`
  await apply(definition, { status: "True", reason: "MigrationRunning", message }, {}, ctx)
}

/** What is stored is in one version now, if the definition is the one that it was when the migration began. */
export async function tellEnded(migration: Migration, ctx: Context): Promise<void> {
  const definition = await definitionOf(migration, ctx)
  if (!definition) return
  const began = definition.status?.conditions?.find((one) => one.type === type)
  const isSame = began?.observedGeneration === definition.metadata.generation
  const succeeded = isConditionTrue(migration.status.conditions, "Succeeded")
  const suffix = isSame
    ? "and the stored versions have been updated"
    : "but the stored versions have not been updated due to a generation mismatch"
  const message = succeeded ? `The migration has succeeded ${suffix}` : "The migration has failed"
  const reason = succeeded ? "MigrationSucceeded" : "MigrationFailed"
  const stored = definition.spec.versions.find(({ storage }) => storage)?.name
  const versions = isSame && stored !== undefined ? { storedVersions: [stored] } : {}
  await apply(definition, { status: "False", reason, message }, versions, ctx)
}

async function definitionOf(
  { spec }: Migration,
  ctx: Context,
): Promise<CustomResourceDefinition | undefined> {
  const { group, resource } = spec.resource
  try {
    return await ctx.client.get(
      customResourceDefinition,
      { name: `${resource}.${group}` },
      { signal: ctx.signal },
    )
  } catch (thrown) {
    if (isNotFound(thrown)) return undefined
    throw thrown
  }
}

/** With the definition's resourceVersion: what was concluded from it holds of no other. */
async function apply(
  { metadata }: CustomResourceDefinition,
  condition: { readonly status: "True" | "False"; readonly reason: string; readonly message: string },
  versions: { readonly storedVersions?: readonly string[] },
  { client, clock, signal }: Context,
): Promise<void> {
  const { name, resourceVersion, generation: observedGeneration } = metadata
  const lastTransitionTime = formatTime(clock.now())
  const { apiVersion, kind } = customResourceDefinition
  const conditions = [{ type, ...condition, lastTransitionTime, observedGeneration }]
  const body = { apiVersion, kind, metadata: { name, resourceVersion }, status: { conditions, ...versions } }
  const options = { subresource: "status", force: true, fieldManager, signal } as const
  await client.patch(customResourceDefinition, { name: name! }, "apply", body, options)
}
