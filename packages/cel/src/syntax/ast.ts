/**
 * The tree of an expression. The parser makes it, the checker puts resolved names, types and overloads into it, and
 * nothing changes it after that.
 * Mirrors: cel-go common/ast/expr.go
 */
import type { CelType } from "../check/types.ts"
import type { Value } from "../run/values.ts"

interface Node {
  /** Where it is in the text; -1 for nowhere. */
  pos: number
  /** Set by the checker. */
  type?: CelType
}

export interface Literal extends Node {
  kind: "literal"
  value: Value
}
export interface Ident extends Node {
  kind: "ident"
  name: string
  /** Set by the checker when the name stands for a fixed value: a type or a declared constant. */
  constant?: Value
}
export interface Select extends Node {
  kind: "select"
  operand: Expr
  field: string
  /** `has(operand.field)` */
  test: boolean
}
export interface Call extends Node {
  kind: "call"
  name: string
  target?: Expr
  args: Expr[]
  /** Which overloads fit, set by the checker. */
  overloads?: string[]
}
export interface ListExpr extends Node {
  kind: "list"
  items: Expr[]
  /** Indexes of `?item`. */
  optional: Set<number>
}
export interface MapExpr extends Node {
  kind: "map"
  entries: { pos: number; key: Expr; value: Expr; optional: boolean }[]
}
export interface StructExpr extends Node {
  kind: "struct"
  name: string
  fields: { pos: number; name: string; value: Expr; optional: boolean }[]
}
/** A loop: every macro over lists and maps, and `cel.bind`, becomes one. */
export interface Comprehension extends Node {
  kind: "comprehension"
  range: Expr
  variable: string
  /** Of two-variable comprehensions. */
  variable2?: string
  accumulator: string
  initial: Expr
  condition: Expr
  step: Expr
  result: Expr
}
/** Where a syntax error was. */
export interface ErrorExpr extends Node {
  kind: "error"
}

export type Expr =
  | Literal
  | Ident
  | Select
  | Call
  | ListExpr
  | MapExpr
  | StructExpr
  | Comprehension
  | ErrorExpr

/** What users cannot name. */
export const accumulatorName = "@result"

export const operators = {
  and: "_&&_",
  or: "_||_",
  not: "!_",
  negate: "-_",
  conditional: "_?_:_",
  index: "_[_]",
  optionalIndex: "_[?_]",
  optionalSelect: "_?._",
  equals: "_==_",
  notEquals: "_!=_",
  less: "_<_",
  lessEquals: "_<=_",
  greater: "_>_",
  greaterEquals: "_>=_",
  in: "@in",
  add: "_+_",
  subtract: "_-_",
  multiply: "_*_",
  divide: "_/_",
  modulo: "_%_",
  notStrictlyFalse: "@not_strictly_false",
} as const

/** The direct children, in the order of the text. */
export function childrenOf(expr: Expr): Expr[] {
  switch (expr.kind) {
    case "select":
      return [expr.operand]
    case "call":
      return expr.target === undefined ? expr.args : [expr.target, ...expr.args]
    case "list":
      return expr.items
    case "map":
      return expr.entries.flatMap(({ key, value }) => [key, value])
    case "struct":
      return expr.fields.map(({ value }) => value)
    case "comprehension":
      return [expr.range, expr.initial, expr.condition, expr.step, expr.result]
    default:
      return []
  }
}

/** `a.b.c` as one dotted name, if that is all it is. */
export function qualifiedName(expr: Expr): string | undefined {
  const parts: string[] = []
  let at = expr
  while (at.kind === "select" && !at.test) {
    parts.push(at.field)
    at = at.operand
  }
  if (at.kind !== "ident") return undefined
  return [at.name, ...parts.reverse()].join(".")
}

/** Makes a chain of names the one name that it stands for. */
export function becomeIdent(expr: Select, name: string, constant: CelType | undefined): void {
  const changed = expr as Partial<Omit<Select, "kind">> & { kind: string; name?: string; constant?: Value }
  delete changed.operand
  delete changed.field
  delete changed.test
  changed.kind = "ident"
  changed.name = name
  if (constant !== undefined) changed.constant = constant
}

/** Chained macros copy what they are called on again and again: beyond this there are no more copies. */
const maxCopied = 10_000

/** The same tree, not yet checked, again; undefined when it is too large. */
export function copyExpr(expr: Expr): Expr | undefined {
  let count = 0
  const copy = (part: Expr): Expr => {
    if (count++ > maxCopied) return part
    switch (part.kind) {
      case "select":
        return { ...part, operand: copy(part.operand) }
      case "call":
        return {
          ...part,
          args: part.args.map(copy),
          ...(part.target !== undefined && { target: copy(part.target) }),
        }
      case "list":
        return { ...part, items: part.items.map(copy) }
      case "map":
        return {
          ...part,
          entries: part.entries.map((entry) => ({
            ...entry,
            key: copy(entry.key),
            value: copy(entry.value),
          })),
        }
      case "struct":
        return { ...part, fields: part.fields.map((field) => ({ ...field, value: copy(field.value) })) }
      case "comprehension":
        return {
          ...part,
          range: copy(part.range),
          initial: copy(part.initial),
          condition: copy(part.condition),
          step: copy(part.step),
          result: copy(part.result),
        }
      default:
        return { ...part }
    }
  }
  const made = copy(expr)
  return count > maxCopied ? undefined : made
}
