/**
 * Which paths a value owns, and which differ between two values.
 * Mirrors: structured-merge-diff typed/tofieldset.go and compare.go
 */
import { isEmptyObject, isObject, jsonEqual, type JsonObject } from "../patch/json-value.ts"
import type { Schema } from "../schema.ts"
import { FieldSet, FieldSetBuilder } from "./field-set.ts"
import { itemElementIfAny } from "./list-items.ts"
import { deducedShape, shapeOf, type Shape } from "./shape.ts"

/** The paths that differ: `added` are only in the second value, `removed` only in the first. */
export interface Comparison {
  readonly added: FieldSet
  readonly modified: FieldSet
  readonly removed: FieldSet
  /** An item of a list with keys has not got them, so that the values do not fit their schema. Default false. */
  readonly hasKeylessItems?: boolean
}

/** The paths that an applied value owns. */
export function fieldSetOf(schema: Schema, value: unknown): FieldSet {
  const out = new FieldSetBuilder()
  collect(shapeOf(schema), value, [], out)
  return out.build()
}

function collect(shape: Shape, value: unknown, path: string[], out: FieldSetBuilder): void {
  const leafHere =
    shape.atomic || (shape.kind === "deduced" && !isObject(value) && value !== null && value !== undefined)
  if (leafHere) return out.insert(path)
  if (shape.kind === "list") {
    if (Array.isArray(value)) collectItems(shape, value, path, out)
    return
  }
  if (!isObject(value)) return
  for (const key of Object.keys(value)) {
    const child = value[key]
    if (child === undefined) continue
    const field = shape.fields.get(key)
    path.push(field ? field.element : `f:${key}`)
    collect(field ? field.shape : (shape.values ?? deducedShape), child, path, out)
    if (!field || child === null || (isObject(child) && isEmptyObject(child))) out.insert(path)
    path.pop()
  }
}

function collectItems(shape: Shape, list: unknown[], path: string[], out: FieldSetBuilder): void {
  const elements = list.map((item) => itemElementIfAny(shape, item))
  const seen = new Set<string>()
  const twice = new Set<string>()
  for (const element of elements) {
    if (element === undefined) continue
    if (seen.has(element)) twice.add(element)
    seen.add(element)
  }
  for (let i = 0; i < list.length; i++) {
    const element = elements[i]
    if (element === undefined) continue
    path.push(element)
    if (!twice.has(element)) collect(shape.items!, list[i], path, out)
    out.insert(path)
    path.pop()
  }
}

/** What differs between `before` and `after`, either of which may be undefined (nothing there at all). */
export function compare(schema: Schema, before: unknown, after: unknown): Comparison {
  const walk = new CompareWalk()
  walk.compare(shapeOf(schema), before, after, false)
  return walk.result()
}

type Kind = "map" | "list" | "scalar" | "none"

function kindOf(value: unknown): Kind {
  if (value === null || value === undefined) return "none"
  if (Array.isArray(value)) return "list"
  return typeof value === "object" ? "map" : "scalar"
}

class CompareWalk {
  readonly #path: string[] = []
  #added: FieldSetBuilder | undefined
  #modified: FieldSetBuilder | undefined
  #removed: FieldSetBuilder | undefined
  #hasKeylessItems = false

  result(): Comparison {
    return {
      added: this.#added?.build() ?? FieldSet.empty,
      modified: this.#modified?.build() ?? FieldSet.empty,
      removed: this.#removed?.build() ?? FieldSet.empty,
      hasKeylessItems: this.#hasKeylessItems,
    }
  }

  compare(shape: Shape, before: unknown, after: unknown, below: boolean): void {
    if (before === after) return
    let leaf = shape.atomic
    if (!leaf) {
      if (shape.kind === "map") leaf = this.#map(shape, before, after)
      else if (shape.kind === "list") leaf = this.#list(shape, before, after)
      else leaf = this.#deduced(shape, before, after)
    }
    if (leaf) this.#leaf(before, after)
    else if (below) {
      if (before === undefined) (this.#added ??= new FieldSetBuilder()).insert(this.#path)
      else if (after === undefined) (this.#removed ??= new FieldSetBuilder()).insert(this.#path)
    }
  }

  #leaf(before: unknown, after: unknown): void {
    if (before === undefined) (this.#added ??= new FieldSetBuilder()).insert(this.#path)
    else if (after === undefined) (this.#removed ??= new FieldSetBuilder()).insert(this.#path)
    else if (!jsonEqual(before, after)) (this.#modified ??= new FieldSetBuilder()).insert(this.#path)
  }

  /** Without a schema the values say what they are; when they disagree, both are looked at. */
  #deduced(shape: Shape, before: unknown, after: unknown): boolean {
    const old = kindOf(before)
    const now = kindOf(after)
    const maps = old === "map" || now === "map" || (old === "none" && now === "none")
    const leaf = maps && this.#map(shape, before, after)
    return leaf || !maps || (old !== now && old !== "none" && now !== "none")
  }

  /** Returns whether the two are to be taken as a leaf. */
  #map(shape: Shape, before: unknown, after: unknown): boolean {
    const old = isObject(before) ? before : undefined
    const now = isObject(after) ? after : undefined
    const { fields } = shape
    if ((!old || isEmptyObject(old)) && (!now || isEmptyObject(now))) {
      if (shape.zeroFields.length === 0 || (!old && !now) || (old && now)) return true
    }
    const values = shape.values ?? deducedShape
    if (now) {
      for (const key in now) {
        const value = now[key]
        const field = fields.get(key)
        if (field)
          this.#child(
            field.element,
            field.shape,
            old && fieldOf(old, key, field.zero),
            value ?? orZero(value, field.zero),
          )
        else if (value !== undefined) this.#child(`f:${key}`, values, old && own(old, key), value)
      }
    }
    if (old) {
      for (const key in old) {
        if (now && now[key] !== undefined) continue
        const field = fields.get(key)
        if (field)
          this.#child(field.element, field.shape, old[key] ?? orZero(old[key], field.zero), now && field.zero)
        else this.#child(`f:${key}`, values, old[key], undefined)
      }
    }
    // Fields that Go writes although neither value names them matter when one whole object is missing.
    if (!old !== !now) {
      const there = (old ?? now)!
      for (const field of shape.zeroFields) {
        if (there[field.name] !== undefined) continue
        this.#child(field.element, field.shape, old && field.zero, now && field.zero)
      }
    }
    return false
  }

  #child(element: string, shape: Shape, before: unknown, after: unknown): void {
    if (before === after) return
    this.#path.push(element)
    this.compare(shape, before, after, true)
    this.#path.pop()
  }

  #list(shape: Shape, before: unknown, after: unknown): boolean {
    const old = Array.isArray(before) ? before : []
    const now = Array.isArray(after) ? after : []
    if (old.length === 0 && now.length === 0) return true
    if (old.length === now.length && this.#inStep(shape, old, now)) return false
    const left = this.#groups(shape, old)
    const right = this.#groups(shape, now)
    for (const [element, items] of left) this.#items(element, shape.items!, items, right.get(element) ?? [])
    for (const [element, items] of right)
      if (!left.has(element)) this.#items(element, shape.items!, [], items)
    return false
  }

  /** Compares lists that have the same keys in the same order, each once; false for others, of which nothing is done. */
  #inStep(shape: Shape, old: readonly unknown[], now: readonly unknown[]): boolean {
    const elements = new Set<string>()
    for (let i = 0; i < old.length; i++) {
      const element = itemElementIfAny(shape, old[i])
      if (element === undefined || element !== itemElementIfAny(shape, now[i])) return false
      elements.add(element)
    }
    if (elements.size !== old.length) return false
    let i = 0
    for (const element of elements) {
      this.#child(element, shape.items!, old[i], now[i])
      i++
    }
    return true
  }

  #groups(shape: Shape, list: readonly unknown[]): Map<string, unknown[]> {
    const out = new Map<string, unknown[]>()
    for (const item of list) {
      const element = itemElementIfAny(shape, item)
      if (element === undefined) {
        this.#hasKeylessItems = true
        continue
      }
      const same = out.get(element)
      if (same) same.push(item)
      else out.set(element, [item])
    }
    return out
  }

  /** Items of one key, of which there may be several in either list. */
  #items(element: string, shape: Shape, old: unknown[], now: unknown[]): void {
    if (old.length <= 1 && now.length <= 1) return this.#child(element, shape, old[0], now[0])
    if (jsonEqual(old, now)) return
    this.#path.push(element)
    if (old.length === 0) (this.#added ??= new FieldSetBuilder()).insert(this.#path)
    else if (now.length === 0) (this.#removed ??= new FieldSetBuilder()).insert(this.#path)
    else {
      if (old.length === 1) this.compare(shape, old[0], undefined, false)
      if (now.length === 1) this.compare(shape, undefined, now[0], false)
      ;(this.#modified ??= new FieldSetBuilder()).insert(this.#path)
    }
    this.#path.pop()
  }
}

function own(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined
}

function fieldOf(object: JsonObject, key: string, zero: unknown): unknown {
  const value = object[key]
  return value === undefined ? zero : value
}

function orZero(value: unknown, zero: unknown): unknown {
  return value === undefined ? zero : value
}
