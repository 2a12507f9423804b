/** kubectl's JSONPath templates: `{range .items[*]}{.metadata.name}{"\n"}{end}`. Mirrors: client-go util/jsonpath */
import { compareBytes, goJson, goValue } from "./go-format.ts"
import { parseTemplate, type ListNode, type PathNode } from "./jsonpath-parser.ts"

export interface JSONPathOptions {
  /** A field that is not there yields nothing instead of an error. Default false. */
  readonly allowMissingKeys?: boolean
  /** Print each group of results as an indented JSON list (`-o jsonpath-as-json`). Default false. */
  readonly outputJSON?: boolean
}

/** A parsed template. */
export interface JSONPath {
  /** The text for a JSON value. Throws an Error with upstream's message. */
  execute(data: unknown): string
  /** The results, one group per template node. */
  findResults(data: unknown): unknown[][]
}

/** Parses a template. Throws an Error with upstream's message. */
export function parseJSONPath(template: string, options: JSONPathOptions = {}): JSONPath {
  const root = parseTemplate(template)
  const findResults = (data: unknown): unknown[][] =>
    new Evaluation(root.nodes, options.allowMissingKeys === true).find(data, 0)
  return {
    findResults,
    execute: (data) =>
      findResults(data)
        .map((results) => (options.outputJSON ? printIndented(results) : results.map(textOf).join(" ")))
        .join(""),
  }
}

const relaxed = /^\{\.?([^{}]+)\}$|^\.?([^{}]+)$/

/** `x.y`, `.x.y`, `{x.y}` and `{.x.y}` as `{.x.y}`. Throws an Error with upstream's message. */
export function relaxedJSONPath(expression: string): string {
  if (expression === "") return expression
  const m = relaxed.exec(expression)
  if (!m) {
    throw new Error(
      "unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or '{.name1.name2}'",
    )
  }
  return `{.${m[1] || m[2]}}`
}

/** JSON with sorted fields, as Go prints a map. */
function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value
  if (Array.isArray(value)) return value.map(sorted)
  const source = value as Record<string, unknown>
  return Object.fromEntries(
    Object.keys(source)
      .sort(compareBytes)
      .map((key) => [key, sorted(source[key])]),
  )
}

function printIndented(results: unknown[]): string {
  return (
    JSON.stringify(sorted(results), null, 4).replace(/[<>&]/g, (char) => goJson(char).slice(1, -1)) + "\n"
  )
}

function textOf(value: unknown): string {
  if (typeof value === "string") return value
  return typeof value === "object" && value !== null ? goJson(sorted(value)) : String(value)
}

/** A Go type's name, for messages. */
function goTypeName(value: unknown): string {
  switch (typeof value) {
    case "string":
      return "string"
    case "boolean":
      return "bool"
    case "number":
      return Number.isInteger(value) ? "int64" : "float64"
    default:
      return Array.isArray(value) ? "[]interface {}" : "map[string]interface {}"
  }
}

class Evaluation {
  readonly #nodes: readonly PathNode[]
  readonly #allowMissing: boolean
  #beginRange = 0
  #inRange = 0
  #endRange = 0
  #lastEnd = -1

  constructor(nodes: readonly PathNode[], allowMissing: boolean) {
    this.#nodes = nodes
    this.#allowMissing = allowMissing
  }

  /** Results of the nodes from `start` on, up to the end of the range that it is in. */
  find(data: unknown, start: number): unknown[][] {
    const out: unknown[][] = []
    const nodes = this.#nodes
    for (let i = start; i < nodes.length; i++) {
      const results = this.#walk([data], nodes[i]!)
      if (this.#endRange > 0 && this.#endRange <= this.#inRange) {
        this.#endRange--
        this.#lastEnd = i
        break
      }
      if (this.#beginRange > 0) {
        this.#beginRange--
        this.#inRange++
        if (results.length > 0) for (const value of results) out.push(...this.find(value, i + 1))
        else this.find(undefined, i + 1)
        this.#inRange--
        if (this.#lastEnd > i) i = this.#lastEnd
        continue
      }
      out.push(results)
    }
    return out
  }

  #walk(input: unknown[], node: PathNode): unknown[] {
    switch (node.type) {
      case "list":
        return this.#list(input, node)
      case "text":
        return [node.text]
      case "literal":
        return input.map(() => node.value)
      case "field":
        return this.#field(input, node.name)
      case "array":
        return input.flatMap((value) => slice(value, node))
      case "filter":
        return input.flatMap((value) => this.#filter(value, node))
      case "wildcard":
        return input.flatMap(childrenOf)
      case "recursive":
        return recurse(input)
      case "union":
        return node.lists.flatMap((list) => this.#list(input, list))
      case "identifier":
        return this.#identifier(input, node.name)
    }
  }

  #list(input: unknown[], list: ListNode): unknown[] {
    let current = input
    for (const node of list.nodes) current = this.#walk(current, node)
    return current
  }

  #identifier(input: unknown[], name: string): unknown[] {
    if (name === "range") {
      this.#beginRange++
      return input
    }
    if (name !== "end") throw new Error(`unrecognized identifier ${name}`)
    if (this.#inRange === 0) throw new Error("not in range, nothing to end")
    this.#endRange++
    return []
  }

  #field(input: unknown[], name: string): unknown[] {
    if (input.length === 0) return []
    const out: unknown[] = []
    for (const value of input) {
      if (typeof value !== "object" || value === null || Array.isArray(value)) continue
      if (Object.hasOwn(value, name)) {
        const found = (value as Record<string, unknown>)[name]
        if (found !== undefined) out.push(found)
      }
    }
    if (out.length === 0 && !this.#allowMissing) throw new Error(`${name} is not found`)
    return out
  }

  #filter(value: unknown, node: Extract<PathNode, { type: "filter" }>): unknown[] {
    if (!Array.isArray(value)) {
      throw new Error(`${goValue(value)} is not array or slice and cannot be filtered`)
    }
    const out: unknown[] = []
    for (const item of value as unknown[]) {
      if (node.operator === "exists") {
        if (this.#exists(item, node.left)) out.push(item)
        continue
      }
      const left = this.#one(item, node.left)
      if (left.length === 0) continue
      const right = this.#one(item, node.right)
      if (right.length === 0) continue
      if (compare(left[0], right[0], node.operator)) out.push(item)
    }
    return out
  }

  #exists(item: unknown, list: ListNode): boolean {
    try {
      return this.#list([item], list).length > 0
    } catch {
      return false
    }
  }

  #one(item: unknown, list: ListNode): unknown[] {
    const found = this.#list([item], list)
    if (found.length > 1) throw new Error("can only compare one element at a time")
    return found
  }
}

function slice(value: unknown, node: Extract<PathNode, { type: "array" }>): unknown[] {
  if (value === null || value === undefined) return []
  if (!Array.isArray(value)) throw new Error(`${goTypeName(value)} is not array or slice`)
  const length = value.length
  const [first, second, third] = node.params
  let from = first.known ? first.value : 0
  if (from < 0) from += length
  let to = second.known ? second.value : length
  if (to < 0 || (to === 0 && second.derived)) to += length
  if (from === to) return []
  if (from >= length || from < 0) {
    throw new Error(`array index out of bounds: index ${from}, length ${length}`)
  }
  if (to > length || to < 0) {
    throw new Error(`array index out of bounds: index ${to - 1}, length ${length}`)
  }
  if (from > to) throw new Error(`starting index ${from} is greater than ending index ${to}`)
  const step = third.known ? third.value : 1
  if (step <= 0) throw new Error("step must be > 0")
  const out: unknown[] = []
  for (let i = from; i < to; i += step) out.push(value[i])
  return out
}

/** Items, or values in the order of their keys (upstream: in no order). */
function childrenOf(value: unknown): unknown[] {
  if (Array.isArray(value)) return value as unknown[]
  if (typeof value !== "object" || value === null) return []
  const source = value as Record<string, unknown>
  return Object.keys(source)
    .sort(compareBytes)
    .map((key) => source[key])
}

function recurse(input: unknown[]): unknown[] {
  const out: unknown[] = []
  for (const value of input) {
    const children = childrenOf(value)
    if (children.length > 0) out.push(value, ...recurse(children))
  }
  return out
}

type Basic = "bool" | "int" | "float" | "string"

function basicKind(value: unknown): Basic {
  switch (typeof value) {
    case "boolean":
      return "bool"
    case "string":
      return "string"
    case "number":
      return Number.isInteger(value) ? "int" : "float"
    default:
      throw new Error("invalid type for comparison")
  }
}

function compare(left: unknown, right: unknown, operator: string): boolean {
  const known = ["<", ">", "==", "!=", "<=", ">="]
  if (!known.includes(operator)) throw new Error(`unrecognized filter operator ${operator}`)
  const kind = basicKind(left)
  if (kind !== basicKind(right)) throw new Error("incompatible types for comparison")
  if (operator === "==") return left === right
  if (operator === "!=") return left !== right
  if (kind === "bool") throw new Error("invalid type for comparison")
  const order =
    kind === "string" ? compareBytes(left as string, right as string) : (left as number) - (right as number)
  switch (operator) {
    case "<":
      return order < 0
    case ">":
      return order > 0
    case "<=":
      return order <= 0
    default:
      return order >= 0
  }
}
