/**
 * Whether a configuration fits its schema, worded as server-side apply words it.
 * Mirrors: structured-merge-diff typed/validate.go
 */
import { goQuote, goValue } from "../go-format.ts"
import { isObject } from "../patch/json-value.ts"
import type { Schema } from "../schema.ts"
import { itemElement } from "./list-items.ts"
import { elementText } from "./path-element.ts"
import { deducedShape, shapeOf, type Shape } from "./shape.ts"

/** Problems are told until their texts have this many characters together: paths and values in them may be long. */
const mostText = 1024 * 1024

/** What is wrong with the value, one text a problem (`.spec.foo: field not declared in schema`); empty when it fits. */
export function validateTyped(schema: Schema, value: unknown): string[] {
  const problems: string[] = []
  check(shapeOf(schema), value, "", problems)
  let length = 0
  const told = problems.findIndex((problem) => (length += problem.length) > mostText)
  return told < 0 ? problems : problems.slice(0, told + 1)
}

/** The problems as one message. */
export function problemsText(problems: readonly string[]): string {
  if (problems.length === 1) return problems[0]!
  return ["errors:", ...problems.map((problem) => `  ${problem}`)].join("\n")
}

function check(shape: Shape, value: unknown, path: string, problems: string[]): void {
  if (value === null || value === undefined) return
  const say = (what: string): void => {
    problems.push(path === "" ? what : `${path}: ${what}`)
  }
  switch (shape.kind) {
    case "deduced":
      return
    case "scalar": {
      const problem = scalarProblem(shape.scalar, value)
      if (problem) say(problem)
      return
    }
    case "list":
      if (!Array.isArray(value)) return say(`expected list, got ${wrapped(value)}`)
      return checkItems(shape, value, path, problems)
    case "map": {
      if (!isObject(value)) return say(`expected map, got ${wrapped(value)}`)
      const before = problems.length
      for (const key of Object.keys(value).sort()) {
        const field = shape.fields.get(key)
        const inner = field
          ? field.shape
          : (shape.values ?? (shape.fields.size === 0 ? deducedShape : undefined))
        if (inner) check(inner, value[key], `${path}.${key}`, problems)
        else {
          // Upstream looks no further in this map, and forgets what it found in it.
          problems.length = before
          problems.push(`${path}.${key}: field not declared in schema`)
          return
        }
      }
    }
  }
}

function checkItems(shape: Shape, list: readonly unknown[], path: string, problems: string[]): void {
  const seen = new Set<string>()
  list.forEach((item, i) => {
    let text = `[${i}]`
    if (!shape.atomic) {
      try {
        const element = itemElement(shape, item)
        text = elementText(element)
        if (seen.has(element)) problems.push(`${path}: duplicate entries for key ${text}`)
        seen.add(element)
      } catch (thrown) {
        problems.push(`${path}: element ${i}: ${(thrown as Error).message}`)
        return
      }
    }
    check(shape.items!, item, path + text, problems)
  })
}

function scalarProblem(kind: Shape["scalar"], value: unknown): string | undefined {
  switch (kind) {
    case "numeric":
      return typeof value === "number" ? undefined : `expected numeric (int or float), got ${goType(value)}`
    case "string":
      return typeof value === "string"
        ? undefined
        : `expected string, got &value.valueUnstructured{Value:${goSyntax(value)}}`
    case "boolean":
      return typeof value === "boolean" ? undefined : `expected boolean, got ${wrapped(value)}`
    case "any":
      return typeof value === "object" ? `expected any scalar, got ${wrapped(value)}` : undefined
  }
}

function wrapped(value: unknown): string {
  return `&{${goValue(value)}}`
}

function goType(value: unknown): string {
  if (Array.isArray(value)) return "[]interface {}"
  if (isObject(value)) return "map[string]interface {}"
  if (typeof value === "number") return Number.isInteger(value) ? "int64" : "float64"
  return typeof value === "boolean" ? "bool" : "string"
}

/** The value as Go's `%#v` prints it. */
function goSyntax(value: unknown): string {
  if (value === null || value === undefined) return "interface {}(nil)"
  if (Array.isArray(value)) return `[]interface {}{${value.map(goSyntax).join(", ")}}`
  if (isObject(value)) {
    const fields = Object.keys(value)
      .sort()
      .map((key) => `${goQuote(key)}:${goSyntax(value[key])}`)
    return `map[string]interface {}{${fields.join(", ")}}`
  }
  return typeof value === "string" ? goQuote(value) : String(value as number | boolean)
}
