/**
 * RFC 7386 JSON merge patch: applying it, and making one from two or three documents.
 * Mirrors: github.com/evanphx/json-patch v4 (merge.go), apimachinery pkg/util/jsonmergepatch
 */
import { isEmptyObject, isObject, jsonClone, jsonEqual, setField, type JsonObject } from "./json-value.ts"
import { hasConflicts } from "./merge-conflict.ts"
import { PatchError } from "./patch-error.ts"

/**
 * The document with the patch merged in; neither argument is changed. Throws {@link PatchError} `bad-request` when
 * either is not an object.
 */
export function applyMergePatch(doc: unknown, patch: unknown): JsonObject {
  if (!isObject(doc)) throw new PatchError("bad-request", "Invalid JSON Document")
  if (patch === null) throw new PatchError("bad-request", "Invalid JSON Patch")
  if (!isObject(patch)) {
    const kind = Array.isArray(patch) ? "array" : typeof patch === "boolean" ? "bool" : typeof patch
    throw new PatchError(
      "bad-request",
      `error decoding patch: json: cannot unmarshal ${kind} into Go value of type map[string]interface {}`,
    )
  }
  return mergeObjects(doc, patch, false)
}

function mergeObjects(doc: JsonObject, patch: JsonObject, keepNulls: boolean): JsonObject {
  const out = { ...doc }
  for (const key of Object.keys(patch)) {
    const value = patch[key]
    if (value === null || value === undefined) {
      if (keepNulls) setField(out, key, null)
      else delete out[key]
    } else if (!Object.hasOwn(out, key) || out[key] === null) {
      setField(out, key, keepNulls ? jsonClone(value) : withoutNulls(value))
    } else setField(out, key, mergeValues(out[key], value, keepNulls))
  }
  return out
}

function mergeValues(current: unknown, patch: unknown, keepNulls: boolean): unknown {
  if (!isObject(current)) return withoutNulls(patch)
  if (!isObject(patch)) return jsonClone(patch)
  return mergeObjects(current, patch, keepNulls)
}

/** A copy without the null fields of its objects; null items of lists stay. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (!isObject(value)) return value
  const out: JsonObject = {}
  for (const key of Object.keys(value)) {
    const field = value[key]
    if (field !== null && field !== undefined) setField(out, key, withoutNulls(field))
  }
  return out
}

/** The merge patch that turns `original` into `modified`. */
export function createMergePatch(original: JsonObject, modified: JsonObject): JsonObject {
  const patch: JsonObject = {}
  for (const key of Object.keys(modified)) {
    const value = modified[key]
    if (value === undefined) continue
    const old = Object.hasOwn(original, key) ? original[key] : undefined
    if (old === undefined) setField(patch, key, jsonClone(value))
    else if (isObject(old) && isObject(value)) {
      const inner = createMergePatch(old, value)
      if (!isEmptyObject(inner)) setField(patch, key, inner)
    } else if (!jsonEqual(old, value)) setField(patch, key, jsonClone(value))
  }
  for (const key of Object.keys(original)) {
    if (original[key] !== undefined && (!Object.hasOwn(modified, key) || modified[key] === undefined))
      setField(patch, key, null)
  }
  return patch
}

/**
 * The merge patch that `kubectl apply` sends for a custom resource: the additions and changes from `current` to
 * `modified`, and the deletions from `original` to `modified`. Throws {@link PatchError} `conflict` when the two disagree.
 */
export function createThreeWayMergePatch(
  original: JsonObject | undefined,
  modified: JsonObject,
  current: JsonObject,
): JsonObject {
  const changes = keepNulls(createMergePatch(current, modified), false)
  const deletions = keepNulls(createMergePatch(original ?? {}, modified), true)
  if (hasConflicts(changes, deletions)) throw conflict(changes, deletions)
  return mergeObjects(deletions, changes, true)
}

/** Only the nulls of a patch (`keep`), or everything but them. */
function keepNulls(patch: JsonObject, keep: boolean): JsonObject {
  const out: JsonObject = {}
  for (const key of Object.keys(patch)) {
    const value = patch[key]
    if (value === null) {
      if (keep) setField(out, key, null)
    } else if (isObject(value)) {
      const inner = keepNulls(value, keep)
      // An object that was empty to begin with is an addition.
      if (!isEmptyObject(inner) || (!keep && isEmptyObject(value))) setField(out, key, inner)
    } else if (!keep) setField(out, key, value)
  }
  return out
}

/** The error for a patch that clashes with what others changed. */
export function conflict(patch: JsonObject, changes: JsonObject): PatchError {
  const text = (value: JsonObject): string => JSON.stringify(value, null, 2)
  return new PatchError(
    "conflict",
    `patch:\n${text(patch)}\nconflicts with changes made from original to current:\n${text(changes)}\n`,
  )
}
