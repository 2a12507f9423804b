/**
 * Operands: signs before them, fields, calls and indexes behind them.
 * Mirrors: cel-go parser/parser.go, parser/gen/CEL.g4
 */
import { AggregateParser } from "./aggregate-parser.ts"
import { operators, type Expr } from "./ast.ts"
import { afterMember, follows, literals, memberStart, operand, parts, reservedNames } from "./grammar.ts"
import { broken } from "./tree-builder.ts"

export abstract class OperandParser extends AggregateParser {
  protected unary(): Expr {
    const begin = this.in.token.start
    this.in.begin("unary", follows.calculation)
    try {
      this.in.sync(operand)
      const sign = this.in.next
      if (sign !== "'-'" && sign !== "'!'") return this.#member()
      const after = this.in.ahead(1).kind
      if (sign === "'-'" && !memberStart.includes(after)) throw this.in.noAlternative()
      if (sign === "'-'" && (after === "NUM_INT" || after === "NUM_FLOAT")) return this.#member()
      const pos = this.in.token.start
      let count = 0
      do {
        this.in.take()
        count++
        this.in.syncLoop(sign === "'!'" ? operand : memberStart)
        if (sign === "'-'" && this.in.next === sign && !memberStart.includes(this.in.ahead(1).kind))
          throw this.in.noAlternative()
      } while (this.in.next === sign)
      const inner = this.#member()
      if (count % 2 === 0) return inner
      return this.deeper(this.call(pos, sign === "'!'" ? operators.not : operators.negate, [inner]), 0, inner)
    } catch (error) {
      this.in.failed("unary", error)
      return broken(begin)
    } finally {
      this.in.end("unary")
    }
  }

  #member(): Expr {
    let left: Expr | undefined
    this.in.begin("member", follows.none)
    try {
      left = this.#primary()
      while (parts.includes(this.in.next))
        left = this.in.next === "'.'" ? this.#dotted(left) : this.#indexed(left)
      return left
    } catch (error) {
      this.in.failed("member", error)
      return this.takeUnfinished() ?? left ?? broken()
    } finally {
      this.in.end("member")
    }
  }

  #dotted(target: Expr): Expr {
    const after = this.in.ahead(1).kind
    if (after !== "IDENTIFIER" && after !== "'?'" && after !== "ESC_IDENTIFIER") throw this.in.noAlternative()
    const dot = this.in.take()
    if (after === "IDENTIFIER" && this.in.ahead(1).kind === "'('") {
      const name = this.in.take().text
      const pos = this.in.take().start
      return this.#arguments((args) => {
        const call = this.macros.expand(this, pos, name, target, args) ?? {
          kind: "call",
          pos,
          name,
          target,
          args,
        }
        return this.deeper(call, 1, target, ...args)
      })
    }
    const optional = after === "'?'"
    if (optional) this.in.take()
    const pos = this.in.token.start
    const name = this.fieldName(follows.part)
    if (name === undefined) return this.problem(pos, "unsupported ident kind")
    if (!optional)
      return this.deeper(
        { kind: "select", pos: dot.start, operand: target, field: name, test: false },
        1,
        target,
      )
    return this.deeper(
      {
        kind: "call",
        pos: dot.start,
        name: operators.optionalSelect,
        args: [target, { kind: "literal", pos, value: name }],
      },
      1,
      target,
    )
  }

  #indexed(target: Expr): Expr {
    const pos = this.in.take().start
    this.in.sync([...operand, "'?'"])
    const optional = this.in.next === "'?'"
    if (optional) this.in.take()
    const index = this.expr(follows.bracket)
    const call = this.call(pos, optional ? operators.optionalIndex : operators.index, [target, index])
    this.unfinished = call
    this.in.match("']'", this.in.afterOperand(afterMember))
    this.unfinished = undefined
    return this.deeper(call, 1, target, index)
  }

  /** Up to and with `)`. */
  #arguments(call: (args: Expr[]) => Expr): Expr {
    const args: Expr[] = []
    try {
      this.#argumentsInto(args)
    } catch (error) {
      this.unfinished = call(args)
      throw error
    }
    return call(args)
  }

  #argumentsInto(args: Expr[]): void {
    this.in.sync([...operand, "')'"])
    if (this.in.next !== "')'") {
      this.in.begin("exprList", follows.closing)
      try {
        args.push(this.expr(follows.comma))
        while (this.in.next === "','") {
          this.in.take()
          args.push(this.expr(follows.comma))
        }
      } catch (error) {
        this.in.failed("exprList", error)
      } finally {
        this.in.end("exprList")
      }
    }
    this.in.match("')'", this.in.afterOperand(afterMember))
  }

  #primary(): Expr {
    this.in.begin("primary", follows.part)
    try {
      this.in.sync(memberStart)
      switch (this.in.next) {
        case "'('": {
          this.in.take()
          const inner = this.expr(follows.closing)
          this.in.match("')'", this.in.afterOperand(afterMember))
          return inner
        }
        case "'['":
          return this.list()
        case "'{'":
          return this.map()
        case "'.'":
        case "IDENTIFIER":
          return this.#named()
        default:
          if (!literals.includes(this.in.next)) throw this.in.noAlternative()
          return this.literal()
      }
    } catch (error) {
      this.in.failed("primary", error)
      return this.takeUnfinished() ?? broken()
    } finally {
      this.in.end("primary")
    }
  }

  #named(): Expr {
    const first = this.in.token
    const dotted = first.kind === "'.'" ? 1 : 0
    if (this.in.ahead(dotted).kind !== "IDENTIFIER") throw this.in.noAlternative()
    let end = dotted + 1
    while (this.in.ahead(end).kind === "'.'" && this.in.ahead(end + 1).kind === "IDENTIFIER") end += 2
    if (this.in.ahead(end).kind === "'{'") {
      let name = ""
      for (let i = 0; i < end; i++) name += this.in.take().text
      return this.message(name)
    }
    if (dotted === 1) this.in.take()
    const { text, start } = this.in.take()
    const name = (dotted === 1 ? "." : "") + text
    if (this.in.next === "'('") {
      const pos = this.in.take().start
      return this.#arguments((args) =>
        reservedNames.has(text)
          ? this.problem(first.start, `reserved identifier: ${text}`)
          : this.deeper(this.call(pos, name, args), 0, ...args),
      )
    }
    return reservedNames.has(text)
      ? this.problem(first.start, `reserved identifier: ${text}`)
      : { kind: "ident", pos: start, name }
  }
}
