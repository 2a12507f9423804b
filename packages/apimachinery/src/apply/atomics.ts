/**
 * Where a value sets what is owned as a whole: lists, maps and structs that nobody can own a part of.
 * Mirrors: apiserver pkg/admission/plugin/policy/mutating/patch/smd.go (findAtomics)
 */
import { isObject } from "../patch/json-value.ts"
import type { Schema } from "../schema.ts"
import { shapeOf, type Shape } from "./shape.ts"

/** The paths, as `.spec.list[0].field`; scalars are none. */
export function atomicPaths(schema: Schema, value: unknown): string[] {
  const found: string[] = []
  collect(shapeOf(schema), value, "", found)
  return found
}

function collect(shape: Shape, value: unknown, path: string, found: string[]): void {
  if (isObject(value) && shape.kind !== "scalar" && shape.kind !== "list") {
    if (shape.atomic) found.push(path)
    for (const key of Object.keys(value)) {
      const field = shape.fields.get(key)
      if (field) collect(field.shape, value[key], `${path}.${key}`, found)
    }
  }
  if (Array.isArray(value) && (shape.kind === "list" || shape.kind === "deduced")) {
    if (shape.atomic || shape.kind === "deduced") found.push(path)
    const { items } = shape
    if (items) for (const [i, item] of value.entries()) collect(items, item, `${path}[${i}]`, found)
  }
}
