/**
 * `metadata.managedFields`: kept on every write, and what server-side apply is made of.
 * Mirrors: apimachinery pkg/util/managedfields/internal
 */
import { isObject, jsonEqual, type JsonObject } from "../patch/json-value.ts"
import { badRequest, unexpectedError, type StatusError } from "../status.ts"
import { ConflictsError, conflictStatus } from "./conflicts.ts"
import { FieldSet } from "./field-set.ts"
import { applyOwners, updateOwners, type ManagedFieldsContext } from "./field-updater.ts"
import { lastAppliedFields, lastAppliedOf, withLastApplied } from "./last-applied.ts"
import {
  capUpdaters,
  ownerKey,
  readOwners,
  withoutManagedFields,
  withOwners,
  writeOwners,
  type Owner,
  type Owners,
} from "./managers.ts"
import { problemsText, validateTyped } from "./validate.ts"

const metadataField = "f:metadata"
const stripped: FieldSet = FieldSet.of(
  ["f:apiVersion"],
  ["f:kind"],
  [metadataField],
  ...[
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "clusterName",
    "generation",
    "managedFields",
    "resourceVersion",
  ].map((name) => [metadataField, `f:${name}`]),
)

const beforeFirstApply = "before-first-apply"

/**
 * `newObj` with the managed fields that an ordinary write by `manager` leaves: what it added or changed becomes its own.
 * `oldObj` is undefined on a create. A subresource keeps the entries of the old object whatever the new one says. An
 * object that nobody tracks (its user reset the entries) stays untracked until it is applied. Never throws.
 */
export function updateManagers<T extends object>(
  ctx: ManagedFieldsContext,
  oldObj: object | undefined,
  newObj: T,
  manager: string,
): T {
  const before = oldObj as JsonObject | undefined
  const after = newObj as JsonObject
  const owners = ownersForUpdate(before, after, (ctx.subresource ?? "") !== "")
  if (owners.size === 0 && before && uidOf(before)) return withoutManagedFields(after) as T
  trackUpdate(ctx, before, after, owners, manager)
  return withOwners(after, owners) as T
}

/** Whether the two differ in nothing but the times of their managed fields, so that the write can be skipped. */
export function equalButManagedTimes(a: object, b: object): boolean {
  const left = a as JsonObject
  const right = b as JsonObject
  if (!jsonEqual(withoutManagedFields(left), withoutManagedFields(right))) return false
  const timeless = (obj: JsonObject): unknown =>
    ((obj["metadata"] as JsonObject | undefined)?.["managedFields"] as object[] | undefined)?.map(
      (entry) => ({
        ...entry,
        time: null,
      }),
    ) ?? []
  return jsonEqual(timeless(left), timeless(right))
}

function uidOf(obj: JsonObject): unknown {
  return isObject(obj["metadata"]) ? obj["metadata"]["uid"] : undefined
}

function entriesOf(obj: JsonObject | undefined): unknown {
  return obj && isObject(obj["metadata"]) ? obj["metadata"]["managedFields"] : undefined
}

function ownersForUpdate(before: JsonObject | undefined, after: JsonObject, subresource: boolean): Owners {
  if (!subresource) {
    const entries = entriesOf(after)
    if (isReset(entries)) return new Map()
    const owners = readOrNothing(entries)
    if (owners.size > 0) return owners
  }
  return readOrNothing(entriesOf(before))
}

/** Nobody manages anything: an empty list, or one entry that says nothing. */
function isReset(entries: unknown): boolean {
  if (!Array.isArray(entries)) return false
  return entries.length === 0 || (entries.length === 1 && jsonEqual(entries[0], {}))
}

function readOrNothing(entries: unknown): Owners {
  try {
    return readOwners(entries)
  } catch {
    return new Map()
  }
}

const nothing: JsonObject = {}

function emptyLike(obj: JsonObject): JsonObject {
  return isObject(obj["metadata"]) ? { metadata: nothing } : nothing
}

function trackUpdate(
  ctx: ManagedFieldsContext,
  before: JsonObject | undefined,
  after: JsonObject,
  owners: Owners,
  manager: string,
): void {
  const old = before ? withoutManagedFields(before) : emptyLike(after)
  const now = withoutManagedFields(after)
  const taken = updateOwners(ctx, old, now, owners).difference(stripped)
  if (!taken.isEmpty()) {
    const owner: Owner = {
      manager: manager === "" ? "unknown" : manager,
      operation: "Update",
      apiVersion: ctx.apiVersion,
      subresource: ctx.subresource ?? "",
      time: ctx.nowText,
      fields: taken,
    }
    const key = ownerKey(owner)
    const previous = owners.get(key)
    owners.set(key, previous ? { ...owner, fields: taken.union(previous.fields) } : owner)
  }
  capUpdaters(owners)
}

/** What an apply makes of an object. */
export interface Applied {
  readonly object: JsonObject
  /** False when the result is the live object, its managed fields included. */
  readonly changed: boolean
}

/**
 * Server-side apply: `live` (undefined creates) with `config` merged in and what `manager` applied before but no longer
 * does taken out. Defaulting, admission and validation are the caller's. Neither argument is changed. Throws StatusError:
 * a conflict with `FieldManagerConflict` causes unless `force`, a bad request, or an internal error for a configuration
 * that does not fit the schema, as upstream answers.
 */
export function applyConfig(
  ctx: ManagedFieldsContext,
  live: object | undefined,
  config: object,
  manager: string,
  force: boolean,
): Applied {
  const patch = config as JsonObject
  checkConfig(ctx, patch)
  const liveObj = live as JsonObject | undefined
  let owners: Owners
  try {
    owners = readOwners(entriesOf(liveObj))
  } catch (thrown) {
    throw unexpectedError(`failed to decode managed fields: ${(thrown as Error).message}`)
  }
  const base = liveObj ? withoutManagedFields(liveObj) : emptyLike(patch)
  if (liveObj && owners.size === 0) {
    trackUpdate(ctx, undefined, base, owners, beforeFirstApply)
  }
  let object: JsonObject
  try {
    object = applyAs(ctx, base, patch, owners, manager, force)
  } catch (thrown) {
    if (thrown instanceof ConflictsError) throw conflictStatus(thrown.conflicts)
    throw thrown
  }
  if (manager === "kubectl" && lastAppliedOf(object) !== undefined) object = withLastApplied(object, patch)
  if (liveObj && object === base && jsonEqual(writeOwners(owners), entriesOf(liveObj)))
    return { object: liveObj, changed: false }
  return { object: withOwners(object, owners), changed: true }
}

/**
 * What is said when an object that was applied has a value which its kind cannot hold although the schema takes it.
 * Mirrors: apimachinery pkg/util/managedfields/internal/structuredmerge.go
 */
export function conversionError(config: object, reason: string): StatusError {
  const object = config as JsonObject
  return unexpectedError(
    `failed to convert new object (${nameOf(object)}) to proper version: ` +
      `unable to convert unstructured object to ${gvkText(object)}: ${reason}`,
  )
}

function checkConfig(ctx: ManagedFieldsContext, config: JsonObject): void {
  const version = config["apiVersion"]
  if (version !== ctx.apiVersion) {
    throw badRequest(`invalid object type: ${gvkText(config)}`)
  }
  const managed = entriesOf(config)
  if (managed !== undefined && managed !== null) throw badRequest("metadata.managedFields must be nil")
  const problems = validateTyped(ctx.schema, config)
  if (problems.length > 0) {
    throw unexpectedError(
      `failed to create typed patch object (${nameOf(config)}): ${problemsText(problems)}`,
    )
  }
}

/** `namespace/name; group/version, Kind=kind` */
function nameOf(obj: JsonObject): string {
  const metadata = isObject(obj["metadata"]) ? obj["metadata"] : {}
  const text = (value: unknown): string => (typeof value === "string" ? value : "")
  return `${text(metadata["namespace"])}/${text(metadata["name"])}; ${gvkText(obj)}`
}

function gvkText(obj: JsonObject): string {
  const apiVersion = typeof obj["apiVersion"] === "string" ? obj["apiVersion"] : ""
  const kind = typeof obj["kind"] === "string" ? obj["kind"] : ""
  return `${apiVersion.includes("/") ? apiVersion : `/${apiVersion}`}, Kind=${kind}`
}

/** Apply for one manager. For `kubectl`, what client-side apply owned is no conflict. */
function applyAs(
  ctx: ManagedFieldsContext,
  base: JsonObject,
  config: JsonObject,
  owners: Owners,
  manager: string,
  force: boolean,
): JsonObject {
  const owner = {
    manager,
    operation: "Apply",
    apiVersion: ctx.apiVersion,
    subresource: ctx.subresource ?? "",
  } as const
  const key = ownerKey({ ...owner })
  const time = owners.get(key)?.time
  const attempt = (forced: boolean): JsonObject => {
    const trial: Owners = new Map(owners)
    const result = applyOwners(ctx, base, config, trial, { ...owner, time }, forced)
    const own = trial.get(key)
    if (own) {
      const fields = own.fields.difference(stripped)
      if (fields.isEmpty()) trial.delete(key)
      else trial.set(key, { ...own, fields, time: result === base ? time : ctx.nowText })
    }
    owners.clear()
    for (const [id, entry] of trial) owners.set(id, entry)
    return result
  }
  if (manager !== "kubectl" || force) return attempt(force)
  try {
    return attempt(false)
  } catch (thrown) {
    if (!(thrown instanceof ConflictsError)) throw thrown
    const allowed = lastAppliedFields(ctx.schema, ctx.apiVersion, base)
    if (!allowed) throw thrown
    const rest = thrown.conflicts
      .map((conflict) => ({ ...conflict, fields: conflict.fields.difference(allowed) }))
      .filter(({ fields }) => !fields.isEmpty())
    if (rest.length > 0) throw new ConflictsError(rest)
    return attempt(true)
  }
}
