/**
 * Gives every part of a tree its type, every name its meaning and every call its overloads, or says what does not fit.
 * Mirrors: cel-go checker/checker.go, checker/errors.go
 */
import {
  operators,
  becomeIdent,
  qualifiedName,
  type Call,
  type Comprehension,
  type Expr,
  type ListExpr,
  type MapExpr,
  type Select,
  type StructExpr,
} from "../syntax/ast.ts"
import type { CelIssues } from "../syntax/source.ts"
import { typeOfValue } from "../run/values.ts"
import { isDyn, isError, isOptional } from "./assignability.ts"
import * as messages from "./messages.ts"
import { Unifier, loopTypes } from "./unifier.ts"
import { Scope, type Declarations, type Overload } from "./scope.ts"
import { boolType, dynType, errorType, listOf, mapOf, optionalOf, type CelType } from "./types.ts"

/** Checks the tree, in place. */
export function check(tree: Expr, declarations: Declarations, issues: CelIssues): void {
  const checker = new Checker(declarations, issues)
  checker.check(tree)
  checker.settle(tree)
}

class Checker {
  readonly #scope: Scope
  readonly #issues: CelIssues
  readonly #types = new Unifier()
  readonly #checked: Expr[] = []

  constructor(declarations: Declarations, issues: CelIssues) {
    this.#scope = new Scope(declarations)
    this.#issues = issues
  }

  /** Puts what parameters were found to be into all types. */
  settle(tree: Expr): void {
    for (const expr of this.#checked) expr.type = this.#types.resolved(expr.type!, true)
    tree.type ??= errorType
  }

  #report(pos: number, message: string): void {
    this.#issues.report(this.#issues.source.location(pos), message)
  }

  #set(expr: Expr, type: CelType): void {
    if (expr.type === undefined) this.#checked.push(expr)
    expr.type = type
  }

  check(expr: Expr): void {
    switch (expr.kind) {
      case "literal":
        return this.#set(expr, typeOfValue(expr.value))
      case "ident": {
        const resolved = this.#scope.resolve(expr.name)
        if (resolved === undefined) {
          this.#undeclared(expr.pos, expr.name)
          return this.#set(expr, errorType)
        }
        expr.name = resolved.name
        if (resolved.constant !== undefined) expr.constant = resolved.constant
        return this.#set(expr, resolved.type)
      }
      case "select":
        return this.#select(expr)
      case "call":
        return this.#call(expr)
      case "list":
        return this.#list(expr)
      case "map":
        return this.#map(expr)
      case "struct":
        return this.#struct(expr)
      case "comprehension":
        return this.#comprehension(expr)
      case "error":
        return this.#set(expr, errorType)
    }
  }

  #undeclared(pos: number, name: string): void {
    this.#report(pos, messages.undeclared(name))
  }

  #select(expr: Select): void {
    const name = expr.test ? undefined : qualifiedName(expr)
    if (name !== undefined && !this.#scope.isLocal(name.slice(0, name.indexOf(".", 1)))) {
      const resolved = this.#scope.resolve(name)
      if (resolved !== undefined) {
        becomeIdent(expr, resolved.name, resolved.constant)
        return this.#set(expr, resolved.type)
      }
    }
    const type = this.#field(expr, expr.operand, expr.field, false)
    this.#set(expr, expr.test ? boolType : this.#types.resolved(type))
  }

  #optionalSelect(call: Call): void {
    if (call.args.length !== 2 || call.target !== undefined) {
      const how = call.target === undefined ? "" : " member call with"
      return this.#report(call.pos, messages.optionalSelection(how, call.args.length))
    }
    const [operand, field] = call.args as [Expr, Expr]
    if (field.kind !== "literal" || typeof field.value !== "string")
      return this.#report(field.pos, "unsupported optional field selection: ")
    const type = this.#field(call, operand, field.value, true)
    this.#set(call, this.#types.resolved(type))
    call.overloads = ["select_optional_field"]
  }

  #field(expr: Expr, operand: Expr, field: string, optional: boolean): CelType {
    this.check(operand)
    const operandType = this.#types.resolved(operand.type!)
    const wasOptional = isOptional(operandType)
    const target = wasOptional ? operandType.params[0]! : operandType
    let result = errorType
    switch (target.kind) {
      case "map":
        result = target.params[1]!
        break
      case "struct":
        result = this.#structField(expr.pos, target.name, field) ?? errorType
        break
      case "param":
        this.#types.fits([dynType], [target])
        result = dynType
        break
      default:
        if (!isDyn(target) && !isError(target))
          this.#report(expr.pos, `type '${target}' does not support field selection`)
        result = dynType
    }
    return wasOptional || optional ? optionalOf(result) : result
  }

  #structField(pos: number, name: string, field: string): CelType | undefined {
    const struct = this.#scope.struct(name)
    if (struct === undefined) {
      this.#report(pos, `unexpected failed resolution of '${name}'`)
      return undefined
    }
    const type = struct.field(field)
    if (type === undefined) this.#report(pos, `undefined field '${field}'`)
    return type
  }

  #call(call: Call): void {
    if (call.name === operators.optionalSelect) {
      this.#optionalSelect(call)
      if (call.type === undefined) this.#set(call, errorType)
      return
    }
    for (const arg of call.args) this.check(arg)
    if (call.target !== undefined) {
      const prefix = qualifiedName(call.target)
      const namespaced = prefix === undefined ? undefined : this.#scope.overloads(`${prefix}.${call.name}`)
      if (namespaced !== undefined) {
        call.name = `${prefix!.replace(/^\./, "")}.${call.name}`
        delete call.target
        return this.#resolve(call, namespaced)
      }
      this.check(call.target)
    }
    const overloads = this.#scope.overloads(call.name)
    if (overloads === undefined) {
      this.#undeclared(call.pos, call.name)
      return this.#set(call, errorType)
    }
    if (call.target === undefined) call.name = call.name.replace(/^\./, "")
    this.#resolve(call, overloads)
  }

  #resolve(call: Call, overloads: readonly Overload[]): void {
    const types = (call.target === undefined ? call.args : [call.target, ...call.args]).map(
      (arg) => arg.type!,
    )
    if (call.name === operators.and || call.name === operators.or)
      return this.#logical(call, overloads[0]!, types)
    let result: CelType | undefined
    const found: string[] = []
    for (const overload of overloads) {
      if (overload.member !== (call.target !== undefined)) continue
      const fresh = this.#types.instance(overload)
      if (!this.#types.fits(types, fresh.args)) continue
      found.push(overload.id)
      const type = this.#types.resolved(fresh.result)
      if (result === undefined) result = type
      else if (!isDyn(result) && !type.isExactly(result)) result = dynType
    }
    if (result === undefined) {
      const shown = types.map((type) => this.#types.resolved(type, true))
      this.#report(call.pos, messages.noOverload(call.name, shown, call.target !== undefined))
      return this.#set(call, errorType)
    }
    call.overloads = found
    this.#set(call, result)
  }

  #logical(call: Call, overload: Overload, types: readonly CelType[]): void {
    let ok = true
    for (const [i, type] of types.entries()) {
      if (this.#types.fits([type], [boolType])) continue
      this.#mismatch(call.args[i]!.pos, boolType, type)
      ok = false
    }
    call.overloads = [overload.id]
    this.#set(call, ok ? boolType : errorType)
  }

  #mismatch(pos: number, expected: CelType, found: CelType): void {
    this.#report(pos, messages.mismatch(expected, found))
  }

  /** The type of an optional's value, complaining of what is no optional. */
  #unwrapped(expr: Expr, optional: boolean): CelType {
    const type = expr.type!
    if (!optional) return type
    if (isOptional(type)) return type.params[0]!
    if (!isDyn(type)) this.#mismatch(expr.pos, optionalOf(type), type)
    return type
  }

  #list(expr: ListExpr): void {
    let type: CelType | undefined
    for (const [i, item] of expr.items.entries()) {
      this.check(item)
      type = this.#types.join(type, this.#unwrapped(item, expr.optional.has(i)))
    }
    this.#set(expr, listOf(type ?? this.#types.unknown()))
  }

  #map(expr: MapExpr): void {
    let keyType: CelType | undefined
    let valueType: CelType | undefined
    for (const { key, value, optional } of expr.entries) {
      this.check(key)
      keyType = this.#types.join(keyType, key.type!)
      this.check(value)
      valueType = this.#types.join(valueType, this.#unwrapped(value, optional))
    }
    this.#set(expr, mapOf(keyType ?? this.#types.unknown(), valueType ?? this.#types.unknown()))
  }

  #struct(expr: StructExpr): void {
    const struct = this.#scope.struct(expr.name)
    const resolved = struct === undefined ? this.#scope.resolve(expr.name) : undefined
    if (struct === undefined) {
      if (resolved?.constant === undefined) this.#undeclared(expr.pos, expr.name)
      else this.#report(expr.pos, `'${resolved.constant.name}' is not a message type`)
      return this.#set(expr, errorType)
    }
    expr.name = struct.type.name
    this.#set(expr, struct.type)
    for (const { pos, name, value, optional } of expr.fields) {
      this.check(value)
      const fieldType = this.#structField(pos, expr.name, name) ?? errorType
      const type = this.#unwrapped(value, optional)
      if (!this.#types.fits([fieldType], [type])) {
        this.#report(pos, messages.fieldMismatch(name, fieldType, type))
      }
    }
  }

  #comprehension(expr: Comprehension): void {
    this.check(expr.range)
    this.check(expr.initial)
    const range = this.#types.resolved(expr.range.type!)
    const accumulator = expr.initial.type!
    const variables = loopTypes(range, expr.variable2 !== undefined, this.#types)
    if (variables === undefined) this.#report(expr.range.pos, messages.notARange(range))
    const [first, second] = variables ?? [errorType, errorType]
    this.#scope.enter(new Map([[expr.accumulator, accumulator]]))
    this.#scope.enter(
      new Map([
        [expr.variable, first],
        ...(expr.variable2 === undefined ? [] : [[expr.variable2, second] as const]),
      ]),
    )
    this.check(expr.condition)
    this.#assert(expr.condition, boolType)
    this.check(expr.step)
    this.#assert(expr.step, accumulator)
    this.#scope.leave()
    this.check(expr.result)
    this.#scope.leave()
    this.#set(expr, this.#types.resolved(expr.result.type!))
  }

  #assert(expr: Expr, type: CelType): void {
    if (!this.#types.fits([type], [expr.type!])) this.#mismatch(expr.pos, type, expr.type!)
  }
}
