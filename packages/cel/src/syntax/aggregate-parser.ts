/**
 * Lists, maps and messages: `[a, ?b]`, `{"k": v}`, `Type{field: v}`.
 * Mirrors: cel-go parser/parser.go, parser/gen/CEL.g4
 */
import type { Expr } from "./ast.ts"
import { afterMember, follows, operand } from "./grammar.ts"
import type { TokenKind } from "./lexer.ts"
import type { Follow } from "./recovery.ts"
import { TreeBuilder, broken } from "./tree-builder.ts"

export abstract class AggregateParser extends TreeBuilder {
  protected abstract expr(follow: Follow): Expr

  /** `a, ?b` up to the closing sign, which it takes. */
  #entries(
    whole: Expr,
    end: TokenKind,
    rule: string,
    follow: Follow,
    starts: readonly TokenKind[],
    entry: () => void,
  ): void {
    this.in.sync([...starts, "','", end])
    if (starts.includes(this.in.next)) {
      this.in.begin(rule, follow)
      try {
        entry()
        while (this.in.next === "','" && starts.includes(this.in.ahead(1).kind)) {
          this.in.take()
          entry()
        }
      } catch (error) {
        this.in.failed(rule, error)
      } finally {
        this.in.end(rule)
      }
    }
    this.unfinished = whole
    this.in.sync(["','", end])
    this.unfinished = undefined
    if (this.in.next === "','") this.in.take()
    this.unfinished = whole
    this.in.match(end, this.in.afterOperand(afterMember))
    this.unfinished = undefined
  }

  /** Whether `?` stands before a value; takes it. */
  #questionMark(): boolean {
    this.in.sync([...operand, "'?'"])
    if (this.in.next !== "'?'") return false
    this.in.take()
    return true
  }

  #optional(follow: Follow): { value: Expr; optional: boolean } {
    const pos = this.in.token.start
    let optional = false
    this.in.begin("optExpr", follow)
    try {
      optional = this.#questionMark()
      return { value: this.expr(follows.none), optional }
    } catch (error) {
      this.in.failed("optExpr", error)
      return { value: broken(pos), optional }
    } finally {
      this.in.end("optExpr")
    }
  }

  protected list(): Expr {
    const list: Expr = { kind: "list", pos: this.in.take().start, items: [], optional: new Set() }
    this.#entries(list, "']'", "listInit", follows.list, [...operand, "'?'"], () => {
      const { value, optional } = this.#optional(follows.comma)
      if (optional) list.optional.add(list.items.length)
      list.items.push(value)
    })
    return this.deeper(list, 0, ...list.items)
  }

  protected map(): Expr {
    const map: Expr = { kind: "map", pos: this.in.take().start, entries: [] }
    this.#entries(map, "'}'", "mapInitializerList", follows.map, [...operand, "'?'"], () => {
      const { value: key, optional } = this.#optional(follows.colon)
      const colon = this.in.match("':'", operand)
      const value = this.expr(follows.comma)
      map.entries.push({ pos: colon?.start ?? -1, key, value, optional })
    })
    return this.deeper(map, 0, ...map.entries.flatMap(({ key, value }) => [key, value]))
  }

  protected message(name: string): Expr {
    const struct: Expr = { kind: "struct", pos: this.in.take().start, name, fields: [] }
    this.#entries(
      struct,
      "'}'",
      "fieldInitializerList",
      follows.map,
      ["IDENTIFIER", "ESC_IDENTIFIER", "'?'"],
      () => {
        const optional = this.in.next === "'?'"
        if (optional) this.in.take()
        const at = this.in.token.start
        const field = this.fieldName(follows.colon)
        const colon = this.in.match("':'", operand)
        const value = this.expr(follows.comma)
        if (field === undefined) this.problem(at, "unsupported ident kind")
        else struct.fields.push({ pos: colon?.start ?? -1, name: field, value, optional })
      },
    )
    return this.deeper(struct, 0, ...struct.fields.map(({ value }) => value))
  }
}
