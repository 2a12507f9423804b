/**
 * From text to tree, with macros expanded. Nesting, size and errors are bounded.
 * Mirrors: cel-go parser/parser.go, parser/gen/CEL.g4
 */
import { operators, type Expr } from "./ast.ts"
import { comparisons, factors, follows, operand, operatorNames, sums } from "./grammar.ts"
import { tokens } from "./lexer.ts"
import type { Macros } from "./macros.ts"
import { OperandParser } from "./operand-parser.ts"
import { ParseStopped, TokenStream, type Follow } from "./recovery.ts"
import { countCodePoints, noLocation, type CelIssues } from "./source.ts"
import { broken } from "./tree-builder.ts"

const maxCodePoints = 100_000
const maxSyntaxErrors = 100

/** Parses; what is wrong is in `issues`, and then the tree means nothing. */
export function parse(issues: CelIssues, macros: Macros): Expr {
  const { source } = issues
  const size = countCodePoints(source.text)
  if (size > maxCodePoints) {
    issues.report(
      noLocation,
      `expression code point size exceeds limit: size: ${size}, limit ${maxCodePoints}`,
    )
    return broken()
  }
  let errors = 0
  const syntaxError = (start: number, message: string): void => {
    const more = errors++ >= maxSyntaxErrors
    issues.report(
      source.location(start),
      `Syntax error: ${more ? `More than ${maxSyntaxErrors} syntax errors` : message}`,
    )
    if (more) throw new ParseStopped()
  }
  try {
    const garbage = new Map<number, number>()
    const found = tokens(source.text, (start, message, end) => {
      garbage.set(start, end)
      syntaxError(start, message)
    })
    const parser = new Parser(new TokenStream(source.text, found, garbage, syntaxError), macros)
    const tree = parser.start()
    for (const [pos, message] of parser.problems) issues.report(source.location(pos), message)
    return tree
  } catch (error) {
    if (!(error instanceof ParseStopped)) throw error
    if (error.message !== undefined) issues.report(noLocation, error.message)
    return broken()
  }
}

class Parser extends OperandParser {
  start(): Expr {
    this.in.begin("start", follows.none)
    let tree = broken()
    try {
      tree = this.expr(follows.end)
      this.in.match("<EOF>", [])
    } catch (error) {
      this.in.failed("start", error)
    } finally {
      this.in.end("start")
    }
    return tree
  }

  protected expr(follow: Follow): Expr {
    const begin = this.in.token.start
    this.in.begin("expr", follow)
    try {
      const condition = this.#either(follows.question)
      if (this.in.next !== "'?'") return condition
      const pos = this.in.take().start
      const then = this.#either(follows.colon)
      this.in.match("':'", operand)
      const otherwise = this.expr(follows.none)
      const call = this.call(pos, operators.conditional, [condition, then, otherwise])
      return this.deeper(call, 1, condition, then, otherwise)
    } catch (error) {
      this.in.failed("expr", error)
      return broken(begin)
    } finally {
      this.in.end("expr")
    }
  }

  /** `a || b || c`: as a balanced tree. */
  #either(follow: Follow): Expr {
    const begin = this.in.token.start
    this.in.begin("conditionalOr", follow)
    try {
      const terms = [this.#all()]
      const signs: number[] = []
      while (this.in.next === "'||'") {
        signs.push(this.in.take().start)
        terms.push(this.#all())
      }
      return signs.length === 0 ? terms[0]! : this.#balanced(operators.or, terms, signs, 0, signs.length - 1)
    } catch (error) {
      this.in.failed("conditionalOr", error)
      return broken(begin)
    } finally {
      this.in.end("conditionalOr")
    }
  }

  /** `a && b && c` */
  #all(): Expr {
    const begin = this.in.token.start
    this.in.begin("conditionalAnd", follows.or)
    try {
      const terms = [this.#relation(follows.and, 0)]
      const signs: number[] = []
      while (this.in.next === "'&&'") {
        signs.push(this.in.take().start)
        terms.push(this.#relation(follows.and, 0))
      }
      return signs.length === 0 ? terms[0]! : this.#balanced(operators.and, terms, signs, 0, signs.length - 1)
    } catch (error) {
      this.in.failed("conditionalAnd", error)
      return broken(begin)
    } finally {
      this.in.end("conditionalAnd")
    }
  }

  #balanced(name: string, terms: readonly Expr[], signs: readonly number[], low: number, high: number): Expr {
    const middle = (low + high + 1) >> 1
    const left = middle === low ? terms[middle]! : this.#balanced(name, terms, signs, low, middle - 1)
    const right = middle === high ? terms[middle + 1]! : this.#balanced(name, terms, signs, middle + 1, high)
    return this.deeper({ kind: "call", pos: signs[middle]!, name, args: [left, right] }, 0, left, right)
  }

  /** Comparisons, to the left; at `level` 1 none: the right side of one. */
  #relation(follow: Follow, level: 0 | 1): Expr {
    const begin = this.in.token.start
    this.in.begin("relation", follow)
    try {
      let left = this.#calculation(follows.comparison, 0)
      while (level === 0 && comparisons.includes(this.in.next)) {
        const sign = this.in.take()
        const right = this.#relation(follows.comparison, 1)
        left = this.deeper(this.call(sign.start, operatorNames[sign.kind]!, [left, right]), 1, left, right)
      }
      return left
    } catch (error) {
      this.in.failed("relation", error)
      return broken(begin)
    } finally {
      this.in.end("relation")
    }
  }

  /** Sums at `level` 0, products up to 1, at 2 one operand. */
  #calculation(follow: Follow, level: 0 | 1 | 2): Expr {
    const begin = this.in.token.start
    this.in.begin("calc", follow)
    try {
      let left = this.unary()
      for (;;) {
        const product = level < 2 && factors.includes(this.in.next)
        if (!product && (level > 0 || !sums.includes(this.in.next))) return left
        const sign = this.in.take()
        const right = this.#calculation(follows.calculation, product ? 2 : 1)
        left = this.deeper(this.call(sign.start, operatorNames[sign.kind]!, [left, right]), 1, left, right)
      }
    } catch (error) {
      this.in.failed("calc", error)
      return broken(begin)
    } finally {
      this.in.end("calc")
    }
  }
}
