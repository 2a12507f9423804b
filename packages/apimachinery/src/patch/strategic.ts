/**
 * Applying strategic merge patches: the schema says which lists merge, by which key.
 * Mirrors: apimachinery pkg/util/strategicpatch/patch.go
 */
import type { Schema } from "../schema.ts"
import { isObject, jsonClone, jsonEqual, setField, type JsonObject } from "./json-value.ts"
import { PatchError } from "./patch-error.ts"
import {
  checkOrder,
  identity,
  itemKind,
  keyed,
  noMergeKey,
  orderMerged,
  Positions,
} from "./strategic-list.ts"
import {
  badOrderList,
  badRetainKeys,
  deleteListPrefix,
  directiveKey,
  elementOrderPrefix,
  listOfDirective,
  patchMeta,
  retainKeysKey,
  schemaName,
} from "./strategic-meta.ts"
import { goValue } from "../go-format.ts"

/**
 * The object with the patch merged in; neither argument is changed. Throws {@link PatchError} with upstream's wording,
 * its kind being the HTTP status that upstream answers.
 */
export function applyStrategicMergePatch(
  schema: Schema,
  original: JsonObject,
  patch: JsonObject,
): JsonObject {
  return mergeMap(original, jsonClone(patch), schema, true)
}

/**
 * Merges two patches into one: directives and nulls are kept. Both are left unchanged. For the functions that make
 * three-way patches.
 */
export function mergeStrategicPatches(schema: Schema, first: JsonObject, second: JsonObject): JsonObject {
  return mergeMap(jsonClone(first), jsonClone(second), schema, false)
}

/** `applying` false merges one patch into another. `patch` is consumed; `original` is not changed. */
function mergeMap(
  original: JsonObject,
  patch: JsonObject,
  schema: Schema | undefined,
  applying: boolean,
): JsonObject {
  if (Object.hasOwn(patch, directiveKey)) return wholeObjectDirective(patch)
  const out = { ...original }
  retainKeys(out, patch, applying)
  mergeOrderedLists(out, patch, schema, applying)
  for (const patchKey of Object.keys(patch)) {
    const value = patch[patchKey]
    let key = patchKey
    let deletes = false
    if (patchKey.startsWith(deleteListPrefix)) {
      if (!applying) {
        out[patchKey] = value
        continue
      }
      key = listOfDirective(patchKey, deleteListPrefix)
      deletes = true
    }
    if (value === null || value === undefined) {
      delete out[key]
      if (applying) continue
    }
    if (!Object.hasOwn(out, key)) {
      if (!deletes) setField(out, key, applying ? withoutNulls(withoutDirectives(value)) : (value ?? null))
      continue
    }
    const old = out[key]
    if (isObject(old) && isObject(value)) {
      const meta = patchMeta(schema, key)
      setField(out, key, meta.strategy === "replace" ? value : mergeMap(old, value, meta.schema, applying))
    } else if (Array.isArray(old) && Array.isArray(value)) {
      const meta = patchMeta(schema, key)
      const merges = meta.strategy === "merge" || deletes
      setField(
        out,
        key,
        merges ? mergeList(old, value, meta.schema, meta.mergeKey, applying, deletes) : value,
      )
    } else if (!deletes) setField(out, key, applying ? withoutNulls(value) : value)
  }
  return out
}

function wholeObjectDirective(patch: JsonObject): JsonObject {
  const directive = patch[directiveKey]
  if (directive === "replace") {
    delete patch[directiveKey]
    return patch
  }
  if (directive === "delete") return {}
  throw badDirective(directive, patch)
}

function badDirective(directive: unknown, patch: JsonObject): PatchError {
  return new PatchError("internal", `unknown patch type: ${goValue(directive)} in map: ${goValue(patch)}`)
}

function retainKeys(out: JsonObject, patch: JsonObject, applying: boolean): void {
  if (!Object.hasOwn(patch, retainKeysKey)) return
  const keep = patch[retainKeysKey]
  delete patch[retainKeysKey]
  if (!applying) {
    if (Object.hasOwn(out, retainKeysKey)) {
      if (!jsonEqual(out[retainKeysKey], keep)) throw badRetainKeys()
    } else out[retainKeysKey] = keep
    return
  }
  if (!Array.isArray(keep)) throw badRetainKeys()
  const kept = new Set<unknown>(keep)
  for (const key of Object.keys(patch)) {
    if (patch[key] === null || key.startsWith(deleteListPrefix) || key.startsWith(elementOrderPrefix))
      continue
    if (!kept.has(key)) throw badRetainKeys()
  }
  for (const key of Object.keys(out)) if (!kept.has(key)) delete out[key]
}

/** Takes the lists with a `$setElementOrder` out of the patch, merges them and puts them in that order. */
function mergeOrderedLists(
  out: JsonObject,
  patch: JsonObject,
  schema: Schema | undefined,
  applying: boolean,
): void {
  for (const directive of Object.keys(patch)) {
    if (!directive.startsWith(elementOrderPrefix)) continue
    const order = patch[directive]
    if (!applying) {
      if (Object.hasOwn(out, directive)) {
        if (!jsonEqual(out[directive], order)) throw badOrderList()
      } else out[directive] = order
    }
    delete patch[directive]
    if (!Array.isArray(order)) throw notAList(order)
    const key = listOfDirective(directive, elementOrderPrefix)
    const old = out[key]
    const list = patch[key]
    if (old !== undefined && !Array.isArray(old)) throw notAList(old)
    if (list !== undefined && !Array.isArray(list)) throw notAList(list)
    const meta = patchMeta(schema, key)
    const { mergeKey } = meta
    checkOrder(list ?? [], order, mergeKey)
    let merged: unknown[]
    if (old && list) {
      merged = meta.strategy === "merge" ? mergeList(old, list, meta.schema, mergeKey, applying, false) : list
    } else if (old) merged = old
    else if (list) merged = applying ? (withoutDirectives(list) as unknown[]) : list
    else continue
    out[key] =
      merged.length === 0 && order.length === 0
        ? merged
        : orderMerged(
            merged,
            order,
            orderAfterDeletions(old ?? [], list ?? [], mergeKey),
            mergeKey,
            itemKind(old ?? [], list ?? [], order),
          )
    delete patch[key]
  }
}

/**
 * The old order as upstream sees it once the patch's deletions are done: it deletes and appends in place, so that what
 * the patch adds stands where deleted items left room.
 */
function orderAfterDeletions(old: unknown[], list: readonly unknown[], mergeKey: string): unknown[] {
  if (mergeKey === "" || !list.some((item) => isObject(item) && item[directiveKey] === "delete")) return old
  const places = new Map<unknown, number[]>()
  old.forEach((item, i) => {
    const key = identity((item as JsonObject)[mergeKey])
    const known = places.get(key)
    if (known) known.push(i)
    else places.set(key, [i])
  })
  for (const found of places.values()) found.reverse()
  const gone = new Set<number>()
  const room: unknown[] = []
  let last = old.length - 1
  for (const item of list as JsonObject[]) {
    if (item[directiveKey] !== "delete") continue
    const at = places.get(identity(item[mergeKey]))?.pop()
    if (at === undefined) continue
    room.push(old[last])
    gone.add(at)
    while (gone.has(last)) last--
  }
  const left = old.filter((_, i) => !gone.has(i))
  let length = left.length
  const present = new Positions(left, mergeKey)
  const order = left.concat(room.reverse())
  for (const item of list as JsonObject[]) {
    if (length >= order.length) break
    if (Object.hasOwn(item, directiveKey) || present.of(item) >= 0) continue
    present.add(item, length)
    order[length++] = item
  }
  return order
}

function notAList(value: unknown): PatchError {
  const kind = isObject(value) ? "map[string]interface {}" : value === null ? "<nil>" : typeof value
  return new PatchError("internal", `expected a []interface {}, but received a ${kind}`)
}

function mergeList(
  original: unknown[],
  patch: unknown[],
  schema: Schema | undefined,
  mergeKey: string,
  applying: boolean,
  deletes: boolean,
): unknown[] {
  if (original.length === 0 && patch.length === 0) return original
  const kind = itemKind(original, patch)
  if (kind !== "map") {
    if (deletes) {
      const named = new Set(patch)
      return original.filter((item) => !named.has(item))
    }
    const merged = [...new Set([...original, ...patch])]
    return orderMerged(merged, patch, original, mergeKey, kind)
  }
  if (mergeKey === "")
    throw new PatchError("internal", `cannot merge lists without merge key for ${schemaName(schema)}`)
  const { kept, items } = listDirectives(original, patch, mergeKey)
  const positions = new Positions(kept, mergeKey)
  for (const item of items) {
    const at = positions.of(keyed(item, mergeKey))
    if (at < 0) positions.add(item, kept.push(item) - 1)
    else {
      const merged = mergeMap(kept[at] as JsonObject, item, schema, applying)
      kept[at] = merged
      if (!Object.hasOwn(merged, mergeKey)) positions.delete(item)
    }
  }
  return orderMerged(kept, items, original, mergeKey, kind)
}

/** Carries out the `$patch` items of a list: what stays of the original, and the patch's other items. */
function listDirectives(
  original: unknown[],
  patch: unknown[],
  mergeKey: string,
): { kept: unknown[]; items: JsonObject[] } {
  const deleted = new Set<unknown>()
  const items: JsonObject[] = []
  let replaces = false
  for (const item of patch as JsonObject[]) {
    if (!Object.hasOwn(item, directiveKey)) {
      items.push(item)
      continue
    }
    switch (item[directiveKey]) {
      case "delete": {
        if (!Object.hasOwn(item, mergeKey)) throw noMergeKey(item, mergeKey)
        if (deleted.size === 0) for (const old of original) keyed(old, mergeKey)
        deleted.add(identity(item[mergeKey]))
        break
      }
      case "replace":
        replaces = true
        break
      case "merge":
        throw new PatchError("internal", "merging lists cannot yet be specified in the patch")
      default:
        throw badDirective(item[directiveKey], item)
    }
  }
  if (replaces) return { kept: items, items: [] }
  if (deleted.size === 0) return { kept: original.slice(), items }
  return { kept: original.filter((old) => !deleted.has(identity((old as JsonObject)[mergeKey]))), items }
}

/** A copy without the null fields of objects, which have nothing to delete. */
function withoutNulls(value: unknown): unknown {
  if (!isObject(value)) return value
  const out: JsonObject = {}
  for (const key of Object.keys(value)) {
    const field = value[key]
    if (field !== null && field !== undefined) setField(out, key, withoutNulls(field))
  }
  return out
}

/** A new value without the `$patch` items of its lists and without directives inside the others. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value
      .filter((item) => !(isObject(item) && Object.hasOwn(item, directiveKey)))
      .map(withoutDirectives)
  }
  if (!isObject(value)) return value
  const out: JsonObject = {}
  if (value[directiveKey] === "delete") return out
  for (const key of Object.keys(value)) {
    if (
      key === directiveKey ||
      key === retainKeysKey ||
      key.startsWith(`${deleteListPrefix}/`) ||
      key.startsWith(`${elementOrderPrefix}/`)
    )
      continue
    setField(out, key, withoutDirectives(value[key]))
  }
  return out
}
