/**
 * Who owns what after a write: the core of managed fields, without their metadata.
 * Mirrors: structured-merge-diff merge/update.go
 */
import { isObject, jsonEqual, type JsonObject } from "../patch/json-value.ts"
import type { Schema } from "../schema.ts"
import { compare, fieldSetOf, type Comparison } from "./compare.ts"
import { ConflictsError, type Conflict } from "./conflicts.ts"
import { FieldSet } from "./field-set.ts"
import { ownerKey, type Owner, type Owners } from "./managers.ts"
import { merge } from "./merge.ts"
import { reconcileSet, removeItems, withNamedFields } from "./remove.ts"

/** Which fields a write to this endpoint cannot own: all at and below a set's paths, or what a function takes away. */
export type ResetFields = FieldSet | ((set: FieldSet) => FieldSet)

export interface ManagedFieldsContext {
  readonly schema: Schema
  /** The version of the objects that are passed in. */
  readonly apiVersion: string
  /** "" or absent for the object itself. */
  readonly subresource?: string
  /** The time of new entries, RFC 3339 to the second. */
  readonly nowText: string
  readonly resetFields?: ResetFields
  /** The object in another version; undefined when there is no such version any more. Default: the same fields. */
  convert?(obj: JsonObject, apiVersion: string): JsonObject | undefined
  /** The schema of another version. Default: `schema`. */
  schemaOfVersion?(apiVersion: string): Schema | undefined
}

/** The set without what this endpoint resets. */
function withoutResetFields(ctx: ManagedFieldsContext, set: FieldSet): FieldSet {
  const { resetFields } = ctx
  if (!resetFields) return set
  return typeof resetFields === "function" ? resetFields(set) : set.recursiveDifference(resetFields)
}

function schemaIn(ctx: ManagedFieldsContext, apiVersion: string): Schema {
  if (apiVersion === ctx.apiVersion) return ctx.schema
  return ctx.schemaOfVersion?.(apiVersion) ?? ctx.schema
}

function inVersion(ctx: ManagedFieldsContext, obj: JsonObject, apiVersion: string): JsonObject | undefined {
  return apiVersion === ctx.apiVersion || !ctx.convert ? obj : ctx.convert(obj, apiVersion)
}

function compareIn(
  ctx: ManagedFieldsContext,
  before: JsonObject,
  after: JsonObject,
  apiVersion: string,
): Comparison | undefined {
  const old = inVersion(ctx, before, apiVersion)
  const now = inVersion(ctx, after, apiVersion)
  if (!old || !now) return undefined
  const { added, modified, removed, hasKeylessItems = false } = compare(schemaIn(ctx, apiVersion), old, now)
  return {
    hasKeylessItems,
    added: withoutResetFields(ctx, added),
    modified: withoutResetFields(ctx, modified),
    removed: withoutResetFields(ctx, removed),
  }
}

/** Fits the sets to what the schemas say today. */
function reconcileOwners(ctx: ManagedFieldsContext, owners: Owners): void {
  for (const [key, owner] of owners) {
    const fields = reconcileSet(schemaIn(ctx, owner.apiVersion), owner.fields)
    if (fields !== owner.fields) owners.set(key, { ...owner, fields })
  }
}

/** Takes from all owners but `self` what changed, and tells what changed. Throws {@link ConflictsError} unless `force`. */
function takeOver(
  ctx: ManagedFieldsContext,
  before: JsonObject,
  after: JsonObject,
  owners: Owners,
  self: string | undefined,
  force: boolean,
): Comparison {
  const own = compareIn(ctx, before, after, ctx.apiVersion)!
  // A plain write of what does not fit its schema is not tracked.
  if (own.hasKeylessItems && self === undefined)
    return { added: FieldSet.empty, modified: FieldSet.empty, removed: FieldSet.empty }
  const comparisons = new Map([[ctx.apiVersion, takenBy(own)]])
  const conflicts: Conflict[] = []
  const left = new Map<string, Owner>()
  for (const [key, owner] of owners) {
    if (key === self) continue
    const { apiVersion } = owner
    if (!comparisons.has(apiVersion))
      comparisons.set(apiVersion, takenBy(compareIn(ctx, before, after, apiVersion)))
    const change = comparisons.get(apiVersion)
    if (!change) {
      owners.delete(key)
      continue
    }
    const clash = owner.fields.intersection(change.taken)
    if (!clash.isEmpty()) conflicts.push({ owner, fields: clash })
    const fields = owner.fields.difference(clash).difference(owner.fields.intersection(change.removed))
    if (fields !== owner.fields) left.set(key, { ...owner, fields })
  }
  if (!force && conflicts.length > 0) throw new ConflictsError(conflicts)
  for (const [key, owner] of left) owners.set(key, owner)
  for (const [key, owner] of owners) if (owner.fields.isEmpty()) owners.delete(key)
  return own
}

interface Change {
  readonly taken: FieldSet
  readonly removed: FieldSet
}

function takenBy(change: Comparison | undefined): Change | undefined {
  return change && { taken: change.modified.union(change.added), removed: change.removed }
}

/** Changes `owners` as a plain write does. Returns the fields that this write itself took. */
export function updateOwners(
  ctx: ManagedFieldsContext,
  before: JsonObject,
  after: JsonObject,
  owners: Owners,
): FieldSet {
  reconcileOwners(ctx, owners)
  const { added, modified } = takeOver(ctx, before, after, owners, undefined, true)
  return modified.union(added)
}

/**
 * Merges `config` into `live`, takes out what `owner` applied before and nobody claims now, and changes `owners`.
 * Returns `live` itself when nothing changed. Throws {@link ConflictsError} unless `force`.
 */
export function applyOwners(
  ctx: ManagedFieldsContext,
  live: JsonObject,
  config: JsonObject,
  owners: Owners,
  owner: Omit<Owner, "fields">,
  force: boolean,
): JsonObject {
  reconcileOwners(ctx, owners)
  const key = ownerKey(owner)
  const last = owners.get(key)
  const merged = merge(ctx.schema, live, config) as JsonObject
  const fields = withoutResetFields(ctx, fieldSetOf(ctx.schema, config))
  owners.set(key, { ...owner, fields })
  // When all that was applied is applied again, there is nothing to take out.
  const drops = last !== undefined && !last.fields.difference(fields).isEmpty()
  const result = drops ? prune(ctx, merged, owners, last) : merged
  takeOver(ctx, live, result, owners, key, force)
  return jsonEqual(live, result) ? live : result
}

function prune(ctx: ManagedFieldsContext, merged: JsonObject, owners: Owners, last: Owner): JsonObject {
  if (last.fields.isEmpty()) return merged
  const version = last.apiVersion
  const whole = inVersion(ctx, merged, version)
  if (!whole) return merged
  const schema = schemaIn(ctx, version)
  const lastFields = withNamedFields(schema, last.fields)
  let pruned = removeItems(schema, whole, lastFields) as JsonObject | null
  // What any owner still claims comes back, first in the version of the last apply.
  const claims = new Map<string, FieldSet>()
  for (const [apiVersion, all] of Map.groupBy(owners.values(), (one) => one.apiVersion))
    claims.set(apiVersion, FieldSet.unionOf(all.map(({ fields }) => fields)))
  const first = claims.get(version)
  claims.delete(version)
  const ordered = [...(first ? ([[version, first]] as const) : []), ...claims]
  let current = whole
  let currentVersion = version
  for (const [at, claimed] of ordered) {
    const all = convertBetween(ctx, current, currentVersion, at)
    const rest = isObject(pruned) ? convertBetween(ctx, pruned, currentVersion, at) : {}
    if (!all || !rest) continue
    pruned = keepOnly(schemaIn(ctx, at), all, rest, claimed)
    current = all
    currentVersion = at
  }
  const back = convertBetween(ctx, current, currentVersion, version)
  const rest = isObject(pruned) ? convertBetween(ctx, pruned, currentVersion, version) : {}
  if (!back || !rest) return merged
  // What the last apply did not own was not its to take away.
  const allFields = withNamedFields(schema, fieldSetOf(schema, back))
  const restFields = withNamedFields(schema, fieldSetOf(schema, rest))
  const out = removeItems(schema, back, allFields.difference(restFields).intersection(lastFields))
  return convertBetween(ctx, (out ?? {}) as JsonObject, version, ctx.apiVersion) ?? merged
}

/** `all` without what is neither in `rest` nor claimed. */
function keepOnly(schema: Schema, all: JsonObject, rest: JsonObject, claimed: FieldSet): JsonObject | null {
  const allFields = withNamedFields(schema, fieldSetOf(schema, all))
  const kept = withNamedFields(schema, fieldSetOf(schema, rest)).union(withNamedFields(schema, claimed))
  return removeItems(schema, all, allFields.difference(kept)) as JsonObject | null
}

function convertBetween(
  ctx: ManagedFieldsContext,
  obj: JsonObject,
  from: string,
  to: string,
): JsonObject | undefined {
  return from === to || !ctx.convert ? obj : ctx.convert(obj, to)
}
