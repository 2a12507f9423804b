/**
 * Taking paths out of a value, or keeping only them. Mirrors: structured-merge-diff typed/remove.go and
 * fieldpath/set.go (EnsureNamedFieldsAreMembers)
 */
import { isEmptyObject, isObject, setField, type JsonObject } from "../patch/json-value.ts"
import type { Schema } from "../schema.ts"
import { FieldSet, isMember, type FieldsNode } from "./field-set.ts"
import { itemElementIfAny } from "./list-items.ts"
import { fieldName } from "./path-element.ts"
import { deducedShape, shapeOf, type Shape } from "./shape.ts"

/** `value` without the paths of `set`; `value` is not changed. What is left empty becomes null. */
export function removeItems(schema: Schema, value: unknown, set: FieldSet): unknown {
  return set.isEmpty() ? value : cut(shapeOf(schema), value, set.toJSON(), false)
}

/** Only the paths of `set`, and list keys that lead to them. */
export function extractItems(schema: Schema, value: unknown, set: FieldSet): unknown {
  return cut(shapeOf(schema), value, set.toJSON(), true)
}

function cut(shape: Shape, value: unknown, node: FieldsNode, extract: boolean): unknown {
  if (shape.kind === "scalar") return value
  if (shape.kind === "deduced" && typeof value !== "object") return value
  if (Array.isArray(value)) {
    if (shape.kind === "map" || value.length === 0) return null
    if (shape.kind === "deduced" || shape.atomic) return extract ? value : null
    return cutItems(shape, value, node, extract)
  }
  if (!isObject(value) || isEmptyObject(value) || shape.kind === "list") return null
  if (shape.atomic) return extract ? value : null
  const out: JsonObject = {}
  for (const key of Object.keys(value)) {
    const field = shape.fields.get(key)
    const inner = field ? field.shape : (shape.values ?? deducedShape)
    const child = node[field ? field.element : `f:${key}`]
    const kept = cutChild(inner, value[key], child, extract)
    if (kept !== undefined) setField(out, key, kept)
  }
  return isEmptyObject(out) ? null : out
}

/** Undefined when the child goes altogether. */
function cutChild(shape: Shape, value: unknown, node: FieldsNode | undefined, extract: boolean): unknown {
  if (node === undefined) return extract ? undefined : value
  if (isMember(node)) {
    if (!extract) return undefined
    return typeof value === "object" && !isEmptyObject(node) ? cut(shape, value, node, true) : value
  }
  return cut(shape, value, node, extract)
}

function cutItems(shape: Shape, list: readonly unknown[], node: FieldsNode, extract: boolean): unknown {
  const out: unknown[] = []
  for (const item of list) {
    const element = itemElementIfAny(shape, item)
    const kept = cutChild(shape.items!, item, element === undefined ? undefined : node[element], extract)
    if (kept === undefined) continue
    if (extract && shape.keys && isObject(kept) && isObject(item)) {
      const keys: JsonObject = {}
      for (const { name } of shape.keys) if (item[name] !== undefined) keys[name] = item[name]
      out.push({ ...keys, ...kept })
    } else out.push(kept)
  }
  return out.length > 0 ? out : null
}

/** The set with every declared field that it goes through made a member, so that removing what it owns leaves no husks. */
export function withNamedFields(schema: Schema, set: FieldSet): FieldSet {
  return set.isEmpty() ? set : FieldSet.ofNode(named(shapeOf(schema), set.toJSON()))
}

function named(shape: Shape, node: FieldsNode): FieldsNode {
  let out: Record<string, FieldsNode> | undefined
  for (const element in node) {
    const child = node[element]!
    if (element === "." || isEmptyObject(child)) continue
    const name = fieldName(element)
    const field = name === undefined ? undefined : shape.fields.get(name)
    const inner = field ? field.shape : ((name === undefined ? shape.items : shape.values) ?? deducedShape)
    let next = named(inner, child)
    if (field && !isMember(next)) next = { ".": {}, ...next }
    if (next === child) continue
    out ??= { ...node }
    out[element] = next
  }
  return out ?? node
}

/**
 * The set as the schema of today would have it: paths below what has become one value are replaced by that value.
 * Mirrors: structured-merge-diff typed/reconcile_schema.go
 */
export function reconcileSet(schema: Schema, set: FieldSet): FieldSet {
  return set.isEmpty() ? set : FieldSet.ofNode(reconciled(shapeOf(schema), set.toJSON()))
}

function reconciled(shape: Shape, node: FieldsNode): FieldsNode {
  if (shape.kind === "scalar" || isEmptyObject(node)) return node
  if (shape.atomic) return {}
  let out: Record<string, FieldsNode> | undefined
  for (const element in node) {
    const child = node[element]!
    if (element === "." || isEmptyObject(child)) continue
    const name = fieldName(element)
    const field = name === undefined ? undefined : shape.fields.get(name)
    const inner = field ? field.shape : name === undefined ? shape.items : shape.values
    if (!inner || shape.kind === "deduced") continue
    const next = reconciled(inner, child)
    if (next === child) continue
    out ??= { ...node }
    out[element] = next
  }
  return out ?? node
}
