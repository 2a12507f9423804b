/** What the estimate of costs knows of parts of an expression. Mirrors: cel-go checker/cost.go (AstNode, computeExprSize) */
import type { CelType } from "../check/types.ts"
import { typeOfValue } from "../run/values.ts"
import type { Comprehension, Expr } from "../syntax/ast.ts"
import { countCodePoints } from "../syntax/source.ts"
import { anything, range, union, type Range } from "./sizes.ts"

/** The size that what is at a path can have: `self`, a field, `@items`, `@keys` or `@values`; undefined when unknown. */
export type SizeOf = (path: readonly string[]) => Range | undefined

/** An argument, as far as its size is known. */
export interface Estimated {
  readonly path: readonly string[]
  readonly type: CelType
  readonly expr?: Expr
  readonly size: Range | undefined
}

/** Sizes of what a list or map holds. */
export interface Entries {
  readonly kind: "list" | "map"
  readonly key: Range
  readonly value: Range
}

export const orUnknown = ({ size }: Estimated): Range => size ?? anything

export function bothEntries(a: Entries | undefined, b: Entries | undefined): Entries | undefined {
  return a && b && { kind: a.kind, key: union(a.key, b.key), value: union(a.value, b.value) }
}

export function isBind({ range: over, condition, accumulator }: Comprehension): boolean {
  return (
    over.kind === "list" &&
    over.items.length === 0 &&
    condition.kind === "literal" &&
    condition.value === false &&
    accumulator !== "__result__"
  )
}

export function literalSize(expr: Expr): Range | undefined {
  switch (expr.kind) {
    case "literal":
      if (typeof expr.value === "string") return range(countCodePoints(expr.value))
      return range(expr.value instanceof Uint8Array ? expr.value.length : 1)
    case "list":
      return range(expr.items.length)
    case "map":
      return range(expr.entries.length)
    default:
      return undefined
  }
}

const scalars = new Set(["bool", "double", "duration", "int", "timestamp", "uint"])

export function isScalar(type: CelType): boolean {
  return scalars.has(type.kind) || (type.name === "optional_type" && isScalar(type.params[0]!))
}

/** For calls whose cost hangs on a constant. */
export function intLiteral(expr: Expr | undefined): bigint | undefined {
  return expr?.kind === "literal" && typeOfValue(expr.value).kind === "int"
    ? BigInt(expr.value as number)
    : undefined
}
