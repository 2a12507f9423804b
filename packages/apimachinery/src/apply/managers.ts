/**
 * The entries of `metadata.managedFields` while they are worked on.
 * Mirrors: apimachinery pkg/util/managedfields/internal/managedfields.go
 */
import { compareBytes } from "../go-format.ts"
import type { JsonObject } from "../patch/json-value.ts"
import { isObject } from "../patch/json-value.ts"
import { FieldSet, type FieldsNode } from "./field-set.ts"

/** Who wrote which fields. */
export interface Owner {
  readonly manager: string
  readonly operation: "Apply" | "Update"
  readonly apiVersion: string
  /** "" for the object itself. */
  readonly subresource: string
  readonly time: string | undefined
  readonly fields: FieldSet
}

/** Owners by {@link ownerKey}. */
export type Owners = Map<string, Owner>

/** One entry as it is on the wire. */
export interface ManagedFieldsEntryJSON {
  manager?: string
  operation?: string
  apiVersion?: string
  time?: string
  fieldsType?: string
  fieldsV1?: FieldsNode
  subresource?: string
}

/** What makes two entries one: an applier keeps its entry whatever version it applies. */
export function ownerKey(owner: Omit<Owner, "time" | "fields">): string {
  const version = owner.operation === "Apply" ? "" : owner.apiVersion
  return JSON.stringify([owner.operation, owner.manager, version, owner.subresource])
}

/** Reads the entries. Throws an Error for entries that no server wrote. */
export function readOwners(entries: unknown): Owners {
  const owners: Owners = new Map()
  if (!Array.isArray(entries)) return owners
  for (const entry of entries as ManagedFieldsEntryJSON[]) {
    const { operation, fieldsType } = isObject(entry) ? entry : ({} as ManagedFieldsEntryJSON)
    if (operation !== "Apply" && operation !== "Update") {
      throw new Error(`invalid operation \`${operation ?? ""}\``)
    }
    if (fieldsType !== undefined && fieldsType !== "" && fieldsType !== "FieldsV1")
      throw new Error(`unsupported fieldsType: ${fieldsType}`)
    const owner: Owner = {
      manager: entry.manager ?? "",
      operation,
      apiVersion: entry.apiVersion ?? "",
      subresource: entry.subresource ?? "",
      time: entry.time,
      fields: FieldSet.fromJSON(entry.fieldsV1),
    }
    owners.set(ownerKey(owner), owner)
  }
  return owners
}

/** The entries in upstream's order: appliers first, then by time to the second, manager, version and subresource. */
export function writeOwners(owners: Owners): ManagedFieldsEntryJSON[] {
  const sorted = [...owners.values()].sort(
    (a, b) =>
      compareBytes(a.operation, b.operation) ||
      seconds(a) - seconds(b) ||
      compareBytes(a.manager, b.manager) ||
      compareBytes(a.apiVersion, b.apiVersion) ||
      compareBytes(a.subresource, b.subresource),
  )
  return sorted.map((owner) => {
    const entry: ManagedFieldsEntryJSON = {}
    if (owner.manager !== "") entry.manager = owner.manager
    entry.operation = owner.operation
    if (owner.apiVersion !== "") entry.apiVersion = owner.apiVersion
    if (owner.time !== undefined) entry.time = owner.time
    entry.fieldsType = "FieldsV1"
    entry.fieldsV1 = owner.fields.toJSON()
    if (owner.subresource !== "") entry.subresource = owner.subresource
    return entry
  })
}

function seconds(owner: Owner): number {
  return owner.time === undefined ? 0 : Math.floor(Date.parse(owner.time) / 1000)
}

const maxUpdaters = 10
const oldUpdatesName = "ancient-changes"

/** Merges the oldest entries of plain updates into `ancient-changes` until no more than ten are left. */
export function capUpdaters(owners: Owners): void {
  const updaters = [...owners].filter(([, owner]) => owner.operation === "Update")
  let left = updaters.length
  if (left <= maxUpdaters) return
  updaters.sort(([, a], [, b]) => seconds(a) - seconds(b) || compareBytes(a.manager, b.manager))
  const firstOfVersion = new Map<string, string>()
  const merged = new Map<string, FieldSet[]>()
  for (const [key, owner] of updaters) {
    if (left <= maxUpdaters) break
    const { apiVersion } = owner
    const first = firstOfVersion.get(apiVersion)
    if (first === undefined) {
      firstOfVersion.set(apiVersion, key)
      continue
    }
    const bucketOwner = { manager: oldUpdatesName, operation: "Update", apiVersion, subresource: "" } as const
    const bucket = ownerKey(bucketOwner)
    let parts = merged.get(bucket)
    if (!parts) {
      merged.set(bucket, (parts = [(owners.get(bucket) ?? owners.get(first)!).fields]))
      if (!owners.has(bucket)) owners.delete(first)
    }
    if (key !== bucket) owners.delete(key)
    parts.push(owner.fields)
    owners.set(bucket, { ...bucketOwner, time: owner.time, fields: owner.fields })
    left--
  }
  for (const [bucket, parts] of merged)
    owners.set(bucket, { ...owners.get(bucket)!, fields: FieldSet.unionOf(parts) })
}

/** The object without `metadata.managedFields`; the same object when it has none. */
export function withoutManagedFields(obj: JsonObject): JsonObject {
  const { metadata } = obj
  if (!isObject(metadata) || metadata["managedFields"] === undefined) return obj
  const { managedFields: _, ...rest } = metadata
  return { ...obj, metadata: rest }
}

/** The object with these owners as its `metadata.managedFields`; with none there is no such field. */
export function withOwners(obj: JsonObject, owners: Owners): JsonObject {
  if (owners.size === 0) return withoutManagedFields(obj)
  const metadata = isObject(obj["metadata"]) ? obj["metadata"] : {}
  return { ...obj, metadata: { ...metadata, managedFields: writeOwners(owners) } }
}
