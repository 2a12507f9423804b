/**
 * What is looked at after the types: literals of durations, moments, regular expressions and formats, and lists of one type.
 * Mirrors: cel-go cel/validator.go, ext/formatting.go (stringFormatValidator)
 */
import { goRegexp } from "@knarr/apimachinery"
import { childrenOf, type Call, type Expr } from "../syntax/ast.ts"
import type { CelIssues } from "../syntax/source.ts"
import { FormatProblem, readFormat, refusal, type Clause } from "../libraries/format-string.ts"
import { convert } from "../run/convert.ts"
import { CelError } from "../run/values.ts"
import { isDyn } from "./assignability.ts"
import { namedTypes, type CelType } from "./types.ts"

const durations = namedTypes.get("google.protobuf.Duration")!
const timestamps = namedTypes.get("google.protobuf.Timestamp")!

export function validate(tree: Expr, issues: CelIssues, homogeneous: boolean): void {
  const report = (pos: number, message: string): void => issues.report(issues.source.location(pos), message)
  visit(tree, false)

  function visit(expr: Expr, exempt: boolean): void {
    if (expr.kind === "call") validateCall(expr, report)
    if (homogeneous && !exempt) validateLiteral(expr, report)
    const inFormat = exempt || (expr.kind === "call" && expr.name === "format")
    for (const child of childrenOf(expr)) visit(child, inFormat)
  }
}

type Report = (pos: number, message: string) => void

function validateCall(call: Call, report: Report): void {
  const [first] = call.args
  if (call.name === "duration" || call.name === "timestamp") {
    if (
      first?.kind === "literal" &&
      convert(first.value, call.name === "duration" ? durations : timestamps) instanceof CelError
    ) {
      report(first.pos, `invalid ${call.name} argument`)
    }
  } else if (call.name === "matches") {
    if (
      first?.kind === "literal" &&
      typeof first.value === "string" &&
      typeof goRegexp(first.value) === "string"
    )
      report(first.pos, "invalid matches argument")
  } else if (
    call.name === "format" &&
    call.target?.kind === "literal" &&
    typeof call.target.value === "string" &&
    first?.kind === "list"
  ) {
    validateFormat(call, call.target.value, first.items, report)
  }
}

const accepted: Readonly<Record<Clause, ReadonlySet<string>>> = {
  s: new Set("list map int uint double bool string timestamp bytes duration type null".split(" ")),
  d: new Set(["int", "uint"]),
  f: new Set(["double", "string"]),
  e: new Set(["double", "string"]),
  b: new Set(["int", "uint", "bool"]),
  x: new Set(["int", "uint", "string", "bytes"]),
  X: new Set(["int", "uint", "string", "bytes"]),
  o: new Set(["int", "uint"]),
}

/** The first part of an argument that the clause cannot print. */
function unfit(expr: Expr, clause: Clause): Expr | undefined {
  if (!isDyn(expr.type!) && !accepted[clause].has(expr.type!.kind)) return expr
  if (clause !== "s" || (expr.kind !== "list" && expr.kind !== "map")) return undefined
  for (const child of childrenOf(expr)) {
    const bad = unfit(child, clause)
    if (bad !== undefined) return bad
  }
  return undefined
}

function validateFormat(call: Call, format: string, args: readonly Expr[], report: Report): void {
  let used = 0
  let at = call.pos
  try {
    readFormat(
      format,
      args.length,
      () => {},
      (clause, _, index) => {
        used++
        const bad = unfit(args[index]!, clause)
        if (bad === undefined) return
        at = bad.pos
        throw refusal(clause, bad.type!.name)
      },
    )
  } catch (error) {
    if (!(error instanceof FormatProblem)) throw error
    return report(at, error.message)
  }
  if (args.length > used)
    report(call.pos, `too many arguments supplied to string.format (expected ${used}, got ${args.length})`)
}

function validateLiteral(expr: Expr, report: Report): void {
  const mismatch = (pos: number, expected: CelType, found: CelType): void =>
    report(pos, `expected type '${expected}' but found '${found}'`)
  const valueType = (value: Expr, optional: boolean): CelType =>
    optional ? value.type!.params[0]! : value.type!
  if (expr.kind === "list") {
    let expected: CelType | undefined
    for (const [i, item] of expr.items.entries()) {
      const type = valueType(item, expr.optional.has(i))
      if (expected === undefined) expected = type
      else if (!expected.isExactly(type)) return mismatch(item.pos, expected, type)
    }
  } else if (expr.kind === "map") {
    const [first, ...others] = expr.entries
    if (first === undefined) return
    const keyType = first.key.type!
    const expected = valueType(first.value, first.optional)
    for (const { key, value, optional } of others) {
      if (!keyType.isExactly(key.type!)) mismatch(key.pos, keyType, key.type!)
      const type = valueType(value, optional)
      if (!expected.isExactly(type)) mismatch(value.pos, expected, type)
    }
  }
}
