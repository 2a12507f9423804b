/**
 * What the parser's rules are made of: tokens, trees with their depth, macros, and single tokens as trees.
 * Mirrors: cel-go parser/helper.go, parser/parser.go (literals)
 */
import { Double, toInt, toUint } from "../run/values.ts"
import type { Call, Expr } from "./ast.ts"
import type { Token } from "./lexer.ts"
import type { Macros } from "./macros.ts"
import { ParseStopped, type Follow, type TokenStream } from "./recovery.ts"
import { beforeStart } from "./source.ts"
import { bytesValue, stringValue } from "./unescape.ts"

const maxDepth = 250

/** Where a syntax error was; without a place when nothing of a tree was there. */
export const broken = (pos = beforeStart): Expr => ({ kind: "error", pos })

export class TreeBuilder {
  /** What is wrong with a text that the grammar allows. */
  readonly problems: [pos: number, message: string][] = []
  protected readonly in: TokenStream
  protected readonly macros: Macros
  /** What is there of a part that breaks off: it stays what it is. */
  protected unfinished: Expr | undefined
  readonly #depths = new Map<Expr, number>()

  constructor(stream: TokenStream, macros: Macros) {
    this.in = stream
    this.macros = macros
  }

  protected takeUnfinished(): Expr | undefined {
    const part = this.unfinished
    this.unfinished = undefined
    return part
  }

  protected problem(pos: number, message: string): Expr {
    this.problems.push([pos, message])
    return broken(pos)
  }

  /** Notes how deep a tree is nested; beyond the limit parsing ends. */
  protected deeper(expr: Expr, levels: 0 | 1, ...parts: readonly Expr[]): Expr {
    let depth = 0
    for (const part of parts) depth = Math.max(depth, this.#depths.get(part) ?? 0)
    depth += levels
    if (depth > maxDepth) throw new ParseStopped("max recursion depth exceeded")
    if (depth > 0) this.#depths.set(expr, depth)
    return expr
  }

  protected call(pos: number, name: string, args: Expr[]): Expr {
    const made: Call = { kind: "call", pos, name, args }
    return this.macros.expand(this, pos, name, undefined, args) ?? made
  }

  /** For macros: complains about their arguments. */
  macroProblem(pos: number, message: string): Expr {
    return this.problem(pos, message)
  }

  protected fieldName(follow: Follow): string | undefined {
    this.in.begin("escapeIdent", follow)
    try {
      this.in.sync(["IDENTIFIER", "ESC_IDENTIFIER"])
      const { kind, text } = this.in.take()
      return kind === "IDENTIFIER" ? text : text.slice(1, -1)
    } catch (error) {
      this.in.failed("escapeIdent", error)
      return undefined
    } finally {
      this.in.end("escapeIdent")
    }
  }

  protected literal(): Expr {
    const pos = this.in.token.start
    const sign = this.in.next === "'-'" ? this.in.take().text : ""
    return this.literalValue(this.in.take(), sign, pos)
  }

  protected literalValue({ kind, text }: Token, sign: string, pos: number): Expr {
    switch (kind) {
      case "NUM_INT": {
        const value = toInt(sign === "" ? BigInt(text) : -BigInt(text))
        return value === undefined
          ? this.problem(pos, "invalid int literal")
          : { kind: "literal", pos, value }
      }
      case "NUM_UINT": {
        const value = toUint(BigInt(text.slice(0, -1)))
        return value === undefined
          ? this.problem(pos, "invalid uint literal")
          : { kind: "literal", pos, value }
      }
      case "NUM_FLOAT": {
        const value = Number(sign + text)
        return Number.isFinite(value)
          ? { kind: "literal", pos, value: new Double(value) }
          : this.problem(pos, "invalid double literal")
      }
      case "STRING":
      case "BYTES": {
        const result = kind === "STRING" ? stringValue(text) : bytesValue(text.slice(1))
        return "problem" in result
          ? this.problem(pos, result.problem)
          : { kind: "literal", pos, value: result.value }
      }
      case "'null'":
        return { kind: "literal", pos, value: null }
      default:
        return { kind: "literal", pos, value: kind === "'true'" }
    }
  }
}
