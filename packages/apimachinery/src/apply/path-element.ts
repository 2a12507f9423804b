/**
 * One step of a field path, as the text that managed fields use: `f:name`, `k:{"name":"a"}`, `v:"x"`, `i:0`.
 * Mirrors: structured-merge-diff fieldpath/element.go and serialize-pe.go
 */
import { parseJson } from "@knarr/base"
import { compareBytes, goQuote, goValue } from "../go-format.ts"
import { isObject, jsonEqual } from "../patch/json-value.ts"

/** What a step means. */
export type PathElement =
  | { readonly type: "field"; readonly name: string }
  | { readonly type: "key"; readonly keys: readonly (readonly [string, unknown])[] }
  | { readonly type: "value"; readonly value: unknown }
  | { readonly type: "index"; readonly index: number }

/** The step to an item of a list with keys. `keys` are in alphabetical order. */
export function keyElement(keys: readonly (readonly [string, unknown])[]): string {
  let text = "k:{"
  for (let i = 0; i < keys.length; i++) {
    if (i > 0) text += ","
    text += `${JSON.stringify(keys[i]![0])}:${JSON.stringify(keys[i]![1])}`
  }
  return text + "}"
}

/** The step to an item of a set. */
export function valueElement(value: unknown): string {
  return `v:${JSON.stringify(value)}`
}

/** The name that a step to a field has; undefined for a step to an item. */
export function fieldName(element: string): string | undefined {
  return element.startsWith("f:") ? element.slice(2) : undefined
}

const parsed = new Map<string, PathElement>()
const parsedBound = 20_000
/** Longer texts are read each time. */
const parsedLength = 1024

/** What the text of a step means. Throws an Error for a text that is none. */
function parseElement(text: string): PathElement {
  if (text.startsWith("f:")) return { type: "field", name: text.slice(2) }
  let element = parsed.get(text)
  if (!element) {
    element = parse(text)
    if (parsed.size >= parsedBound) parsed.clear()
    if (text.length <= parsedLength) parsed.set(text, element)
  }
  return element
}

function parse(text: string): PathElement {
  const bad = (): Error => new Error(`unknown path element: ${goQuote(text)}`)
  const rest = text.slice(2)
  let value: unknown
  try {
    value = parseJson(rest)
  } catch {
    throw bad()
  }
  switch (text.slice(0, 2)) {
    case "k:": {
      if (!isObject(value)) throw bad()
      const keys = Object.entries(value).sort((a, b) => compareBytes(a[0], b[0]))
      return { type: "key", keys }
    }
    case "v:":
      return { type: "value", value }
    case "i:":
      if (!Number.isInteger(value)) throw bad()
      return { type: "index", index: value as number }
    default:
      throw bad()
  }
}

/** The forms that nearly all steps to items have: they say whether they are canonical, and one key's order, unread. */
const oneKey = /^k:\{"[A-Za-z]+":"[\w./-]*"\}$/
const plainKeys =
  /^k:\{"([A-Za-z]+)":(?:"[\w./-]*"|0|[1-9]\d{0,14})(?:,"([A-Za-z]+)":(?:"[\w./-]*"|0|[1-9]\d{0,14}))?\}$/

/** The one text that upstream writes for this step. Throws for a text that is no step. */
export function canonicalElement(text: string): string {
  if (text.startsWith("f:")) return text
  const plain = plainKeys.exec(text)
  if (plain && (plain[2] === undefined || plain[1]! < plain[2])) return text
  const element = parseElement(text)
  if (element.type === "key") return keyElement(element.keys)
  if (element.type === "value") return valueElement(element.value)
  return text
}

const ranks: Readonly<Record<string, number>> = { ".": 0, f: 1, k: 2, v: 3, i: 4 }

/** The order of steps in managed fields. */
export function compareElements(a: string, b: string): number {
  if (a === b) return 0
  const order = rankOf(a) - rankOf(b)
  if (order !== 0) return order
  if (a[0] === "f" || (oneKey.test(a) && oneKey.test(b))) return compareBytes(a, b)
  return compareParsed(parseElement(a), parseElement(b))
}

/** Sorts in place, and reads each text once. */
export function sortElements(elements: string[]): string[] {
  if (elements.length <= 1) return elements
  if (elements.length <= parsedBound / 2 || elements.every((element) => element.startsWith("f:")))
    return elements.sort(compareElements)
  const read = elements.map((text) => ({
    text,
    rank: rankOf(text),
    element: text === "." ? undefined : parseElement(text),
  }))
  read.sort(
    (a, b) =>
      a.rank - b.rank ||
      (a.rank === ranks.f
        ? compareBytes(a.text, b.text)
        : a.element && b.element
          ? compareParsed(a.element, b.element)
          : 0),
  )
  for (let i = 0; i < read.length; i++) elements[i] = read[i]!.text
  return elements
}

function rankOf(text: string): number {
  return ranks[text[0]!] ?? 5
}

function compareParsed(left: PathElement, right: PathElement): number {
  if (left.type === "key" && right.type === "key") {
    for (let i = 0; i < left.keys.length && i < right.keys.length; i++) {
      const [name, value] = left.keys[i]!
      const [otherName, otherValue] = right.keys[i]!
      const order = compareBytes(name, otherName) || compareValues(value, otherValue)
      if (order !== 0) return order
    }
    return left.keys.length - right.keys.length
  }
  if (left.type === "value" && right.type === "value") return compareValues(left.value, right.value)
  if (left.type === "index" && right.type === "index") return left.index - right.index
  return 0
}

function valueRank(value: unknown): number {
  if (value === null || value === undefined) return 5
  if (Array.isArray(value)) return 3
  switch (typeof value) {
    case "number":
      return 0
    case "string":
      return 1
    case "boolean":
      return 2
    default:
      return 4
  }
}

function compareValues(a: unknown, b: unknown): number {
  const rank = valueRank(a)
  if (rank !== valueRank(b)) return rank - valueRank(b)
  if (rank === 0) return (a as number) - (b as number)
  if (rank === 1) return compareBytes(a as string, b as string)
  if (rank === 2) return Number(a) - Number(b)
  if (jsonEqual(a, b)) return 0
  return compareBytes(JSON.stringify(a), JSON.stringify(b))
}

/** The step as messages show it: `.name`, `[name="a"]`, `[="x"]`, `[0]`. */
export function elementText(text: string): string {
  const element = parseElement(text)
  switch (element.type) {
    case "field":
      return `.${element.name}`
    case "key":
      return `[${element.keys.map(([name, value]) => `${name}=${valueText(value)}`).join(",")}]`
    case "value":
      return `[=${valueText(element.value)}]`
    case "index":
      return `[${element.index}]`
  }
}

function valueText(value: unknown): string {
  return typeof value === "string" ? goQuote(value) : value === null ? "null" : goValue(value)
}

/** A path as messages show it: `.spec.containers[name="a"].image`. */
export function pathText(path: readonly string[]): string {
  return path.map(elementText).join("")
}
