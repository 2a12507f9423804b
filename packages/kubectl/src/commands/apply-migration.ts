/**
 * From client-side to server-side apply: what the client's apply wrote becomes the server-side manager's own, so
 * that a field which has left the manifest can be let go.
 * Mirrors: kubectl pkg/cmd/apply/apply.go, client-go util/csaupgrade
 */
import { FieldSet, isConflict, lastAppliedAnnotation } from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import type { ApiClient } from "../api-client.ts"
import type { CommandContext } from "../command.ts"
import type { Obj } from "../object.ts"
import { fetchObject } from "../resources.ts"
import type { Info } from "../info.ts"
import { patchObject, type WriteOptions } from "../writes.ts"
import { applyServerSide } from "./apply-patch.ts"

/** The manager under which `apply --server-side` writes when no other is asked for. */
export const serverSideManager = "kubectl"
const annotationManager = "kubectl-last-applied"
const annotationPath = ["f:metadata", "f:annotations", `f:${lastAppliedAnnotation}`]
const maxTries = 5

interface ManagedFields {
  readonly manager: string
  readonly operation: "Apply" | "Update"
  readonly apiVersion: string
  readonly subresource?: string
  readonly fieldsV1?: unknown
}

/**
 * Looks at an object that was just applied on the server. Returns it as it is in the end; a migration that fails
 * is a warning, since the next apply tries again.
 */
export async function migrateToServerSide(
  ctx: CommandContext,
  api: ApiClient,
  info: Info,
  applied: Obj,
  options: WriteOptions,
): Promise<Obj> {
  let current = applied
  try {
    current = await keepAnnotation(api, info, current, options)
  } catch (thrown) {
    warn(
      ctx,
      "failed to migrate kubectl.kubernetes.io/last-applied-configuration for Server-Side Apply",
      thrown,
    )
    return current
  }
  let migrated: Obj | undefined
  try {
    migrated = await migrate(api, info, current, options)
  } catch (thrown) {
    warn(ctx, "server rejected managed fields migration to Server-Side Apply", thrown)
    return current
  }
  if (!migrated) return current
  try {
    return await applyServerSide(api, info, options)
  } catch (thrown) {
    warn(ctx, "failed to re-apply configuration after performing Server-Side Apply migration", thrown)
    return migrated
  }
}

function warn(ctx: CommandContext, what: string, thrown: unknown): void {
  ctx.err(
    `Warning: ${what}. This is non-fatal and will be retried next time you apply. Error: ${messageOf(thrown)}\n`,
  )
}

/** The annotation gets an owner of its own, or the next patch would orphan it. */
async function keepAnnotation(api: ApiClient, info: Info, current: Obj, options: WriteOptions): Promise<Obj> {
  const { name, namespace, annotations } = current["metadata"] as Obj
  const text = (annotations as Obj | undefined)?.[lastAppliedAnnotation] as string | undefined
  if (options.fieldManager !== serverSideManager || text === undefined) return current
  if (ownersOfAnnotation(current, "Apply").length > 0) return current
  const { apiVersion, kind } = info.object
  const body = {
    apiVersion,
    kind,
    metadata: { name, ...(namespace ? { namespace } : {}), annotations: { [lastAppliedAnnotation]: text } },
  }
  return patchObject(api, info, "apply", body, { ...options, fieldManager: annotationManager, force: false })
}

/** Undefined when there is nothing to migrate. */
async function migrate(
  api: ApiClient,
  info: Info,
  first: Obj,
  options: WriteOptions,
): Promise<Obj | undefined> {
  const managers = new Set(ownersOfAnnotation(first, "Update").map(({ manager }) => manager))
  let current = first
  for (let attempt = 1; ; attempt++) {
    const before = managedFieldsOf(current)
    let after = before
    for (const manager of managers) after = withoutManager(after, manager, options.fieldManager!)
    if (after === before) return undefined
    const patch = [
      { op: "replace", path: "/metadata/managedFields", value: after },
      // A `test` would be answered as an invalid request; this one as a conflict.
      { op: "replace", path: "/metadata/resourceVersion", value: current["metadata"].resourceVersion },
    ]
    const { force: _, ...others } = options
    try {
      return await patchObject(api, info, "json", patch, others)
    } catch (thrown) {
      if (!isConflict(thrown) || attempt === maxTries) throw thrown
      current = await fetchObject(api, info)
    }
  }
}

/** The entries with those of `clientManager` united with the server-side manager's. */
function withoutManager(
  entries: readonly ManagedFields[],
  clientManager: string,
  serverManager: string,
): readonly ManagedFields[] {
  const isClients = (entry: ManagedFields): boolean =>
    entry.manager === clientManager && entry.operation === "Update" && !entry.subresource
  const own = entries.find(
    (entry) => entry.manager === serverManager && entry.operation === "Apply" && !entry.subresource,
  )
  const clients = entries.filter(isClients)
  const target = own ?? clients[0]
  if (!target || clients.length === 0) return entries
  const source = clients.find((entry) => entry.apiVersion === target.apiVersion)
  const fields = FieldSet.fromJSON(target.fieldsV1 ?? {})
  const united = {
    ...target,
    manager: serverManager,
    operation: "Apply" as const,
    fieldsV1: (source ? fields.union(FieldSet.fromJSON(source.fieldsV1 ?? {})) : fields).toJSON(),
  }
  return entries.flatMap((entry) => (entry === target ? [united] : isClients(entry) ? [] : [entry]))
}

function ownersOfAnnotation(object: Obj, operation: "Apply" | "Update"): readonly ManagedFields[] {
  return managedFieldsOf(object).filter(
    (entry) =>
      entry.operation === operation &&
      !entry.subresource &&
      FieldSet.fromJSON(entry.fieldsV1 ?? {}).has(annotationPath),
  )
}

function managedFieldsOf(object: Obj): readonly ManagedFields[] {
  return (object["metadata"]?.managedFields ?? []) as readonly ManagedFields[]
}
