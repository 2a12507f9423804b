/**
 * Making strategic merge patches, as `kubectl apply` and `kubectl edit` need them.
 * Mirrors: apimachinery pkg/util/strategicpatch/patch.go
 */
import type { Schema } from "../schema.ts"
import { isEmptyObject, isObject, jsonClone, jsonEqual, setField, type JsonObject } from "./json-value.ts"
import { conflict } from "./merge-patch.ts"
import { mergeStrategicPatches } from "./strategic.ts"
import { compareScalars, itemKind, keyed, Positions, sortLike } from "./strategic-list.ts"
import {
  deleteListPrefix,
  directiveKey,
  elementOrderPrefix,
  patchMeta,
  retainKeysKey,
  type PatchMeta,
} from "./strategic-meta.ts"

interface DiffOptions {
  readonly elementOrder: boolean
  readonly changes: boolean
  readonly deletions: boolean
}

/** The patch that turns `original` into `modified`. Throws {@link PatchError} for lists that cannot be merged. */
export function createTwoWayMergePatch(
  original: JsonObject,
  modified: JsonObject,
  schema: Schema,
): JsonObject {
  const options = { elementOrder: true, changes: true, deletions: true }
  return jsonClone(diffMaps(original, modified, schema, options, false))
}

/**
 * The patch that `kubectl apply` sends: what `modified` adds and changes in `current`, and what it deletes of
 * `original` (the configuration applied last). Unless `overwrite`, throws {@link PatchError} `conflict` when the
 * patch would undo what changed from `original` to `current`.
 */
export function createThreeWayMergePatch(
  original: JsonObject | undefined,
  modified: JsonObject,
  current: JsonObject,
  schema: Schema,
  overwrite: boolean,
): JsonObject {
  const old = original ?? {}
  const delta = diffMaps(
    current,
    modified,
    schema,
    { elementOrder: true, changes: true, deletions: false },
    false,
  )
  const deletions = diffMaps(
    old,
    modified,
    schema,
    { elementOrder: true, changes: false, deletions: true },
    false,
  )
  const patch = mergeStrategicPatches(schema, deletions, delta)
  if (!overwrite) {
    const changed = diffMaps(
      old,
      current,
      schema,
      { elementOrder: false, changes: true, deletions: true },
      false,
    )
    if (strategicPatchesConflict(patch, changed, schema)) throw conflict(patch, changed)
  }
  return patch
}

function diffMaps(
  original: JsonObject,
  modified: JsonObject,
  schema: Schema | undefined,
  options: DiffOptions,
  retains: boolean,
): JsonObject {
  const patch: JsonObject = {}
  for (const key of Object.keys(original).sort()) {
    const old = original[key]
    if (old === undefined) continue
    if (!Object.hasOwn(modified, key) || modified[key] === undefined) {
      if (options.deletions) setField(patch, key, null)
      continue
    }
    const value = modified[key]
    if (isObject(old) && isObject(value)) diffObject(patch, key, old, value, schema, options)
    else if (Array.isArray(old) && Array.isArray(value)) diffList(patch, key, old, value, schema, options)
    else if (options.changes && !jsonEqual(old, value)) setField(patch, key, value)
  }
  if (options.changes) {
    for (const key of Object.keys(modified).sort())
      if (modified[key] !== undefined && (!Object.hasOwn(original, key) || original[key] === undefined))
        setField(patch, key, modified[key])
  }
  if (retains) {
    const keep = Object.keys(modified).filter((key) => modified[key] !== undefined)
    const gone = Object.keys(original).some((key) => !Object.hasOwn(modified, key))
    if (keep.length > 0 && (!isEmptyObject(patch) || gone)) patch[retainKeysKey] = keep.sort(compareScalars)
  }
  return patch
}

function diffObject(
  patch: JsonObject,
  key: string,
  old: JsonObject,
  value: JsonObject,
  schema: Schema | undefined,
  options: DiffOptions,
): void {
  const meta = patchMeta(schema, key)
  if (meta.strategy === "replace") {
    if (options.changes && !jsonEqual(old, value)) setField(patch, key, value)
    return
  }
  const inner = diffMaps(old, value, meta.schema, options, meta.retainKeys)
  if (!isEmptyObject(inner)) setField(patch, key, inner)
}

function diffList(
  patch: JsonObject,
  key: string,
  old: unknown[],
  value: unknown[],
  schema: Schema | undefined,
  options: DiffOptions,
): void {
  const meta = patchMeta(schema, key)
  if (meta.strategy !== "merge") {
    if (options.changes && !jsonEqual(old, value)) setField(patch, key, value)
    return
  }
  if (old.length === 0) {
    if (options.changes && value.length > 0) setField(patch, key, value)
    return
  }
  const kind = itemKind(old, value)
  let list: unknown[]
  let deletions: unknown[] = []
  let changedOrder: boolean
  if (kind === "map") {
    const diff = diffKeyedLists(old, value, meta, options)
    list = [...sortLike(diff.items, value, meta.mergeKey, kind), ...diff.deletions]
    changedOrder = list.length > 0 || !sameOrder(old, value, meta.mergeKey)
  } else {
    const diff = diffScalarLists(old, value, options)
    list = sortLike(diff.added, value, "", kind)
    deletions = diff.removed
    changedOrder = !jsonEqual(old, value)
  }
  if (list.length > 0) setField(patch, key, list)
  if (deletions.length > 0) patch[`${deleteListPrefix}/${key}`] = deletions
  if (options.elementOrder && (options.deletions ? changedOrder : list.length > 0)) {
    const order =
      kind === "map"
        ? value.map((item) => ({ [meta.mergeKey]: keyed(item, meta.mergeKey)[meta.mergeKey] }))
        : value
    if (order.length > 0) patch[`${elementOrderPrefix}/${key}`] = order
  }
}

function sameOrder(old: unknown[], value: unknown[], mergeKey: string): boolean {
  if (old.length !== value.length) return false
  return old.every((item, i) =>
    jsonEqual(keyed(item, mergeKey)[mergeKey], keyed(value[i], mergeKey)[mergeKey]),
  )
}

function diffKeyedLists(
  old: unknown[],
  value: unknown[],
  meta: PatchMeta,
  options: DiffOptions,
): { items: JsonObject[]; deletions: JsonObject[] } {
  const { mergeKey } = meta
  const byKey = (a: unknown, b: unknown): number =>
    compareScalars(keyed(a, mergeKey)[mergeKey], keyed(b, mergeKey)[mergeKey])
  const items: JsonObject[] = []
  const deletions: JsonObject[] = []
  const before = old.slice().sort(byKey)
  const after = value.slice().sort(byKey)
  let i = 0
  let j = 0
  while (i < before.length || j < after.length) {
    const a = i < before.length ? keyed(before[i], mergeKey) : undefined
    const b = j < after.length ? keyed(after[j], mergeKey) : undefined
    const order = a && b ? compareScalars(a[mergeKey], b[mergeKey]) : a ? -1 : 1
    if (order === 0) {
      const inner = diffMaps(a!, b!, meta.schema, options, meta.retainKeys)
      if (!isEmptyObject(inner)) items.push({ ...inner, [mergeKey]: b![mergeKey] })
      i++
      j++
    } else if (order > 0) {
      if (options.changes) items.push(b!)
      j++
    } else {
      if (options.deletions) deletions.push({ [directiveKey]: "delete", [mergeKey]: a![mergeKey] })
      i++
    }
  }
  return { items, deletions }
}

function diffScalarLists(
  old: unknown[],
  value: unknown[],
  options: DiffOptions,
): { added: unknown[]; removed: unknown[] } {
  const left = new Map<unknown, number>()
  for (const item of old) left.set(item, (left.get(item) ?? 0) + 1)
  const added: unknown[] = []
  for (const item of value) {
    const count = left.get(item) ?? 0
    if (count > 0) left.set(item, count - 1)
    else if (options.changes) added.push(item)
  }
  const removed: unknown[] = []
  if (options.deletions) for (const [item, count] of left) for (let i = 0; i < count; i++) removed.push(item)
  return { added: added.sort(compareScalars), removed: removed.sort(compareScalars) }
}

/** Whether two strategic merge patches set one place to different values. Lists that merge are compared item by item. */
export function strategicPatchesConflict(left: unknown, right: unknown, schema: Schema | undefined): boolean {
  return conflicting(left, right, { schema, strategy: undefined, retainKeys: false, mergeKey: "" })
}

function conflicting(left: unknown, right: unknown, meta: PatchMeta): boolean {
  if (isObject(left) && isObject(right)) {
    const directives = [left[directiveKey], right[directiveKey]]
    if (directives[0] !== undefined && directives[1] !== undefined) return directives[0] !== directives[1]
    if (directives[0] !== undefined || directives[1] !== undefined) return true
    for (const key of Object.keys(left)) {
      if (key.startsWith("$") || !Object.hasOwn(right, key)) continue
      const inner = meta.schema ? fieldMeta(meta.schema, key) : meta
      if (conflicting(left[key], right[key], inner)) return true
    }
    return false
  }
  if (Array.isArray(left) && Array.isArray(right)) {
    if (meta.strategy !== "merge") return !jsonEqual(left, right)
    if (left.length === 0 || right.length === 0 || itemKind(left, right) !== "map") return false
    const positions = new Positions(right, meta.mergeKey)
    for (const item of left) {
      const at = positions.of(keyed(item, meta.mergeKey))
      if (at >= 0 && conflicting(item, right[at], { ...meta, strategy: undefined })) return true
    }
    return false
  }
  return !jsonEqual(left, right)
}

function fieldMeta(schema: Schema, key: string): PatchMeta {
  try {
    return patchMeta(schema, key)
  } catch {
    return { schema: undefined, strategy: undefined, retainKeys: false, mergeKey: "" }
  }
}
