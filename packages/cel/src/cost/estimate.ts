/**
 * What an expression can cost at least and at most, from the sizes that its variables can have.
 * Mirrors: cel-go checker/cost.go
 */
import { accumulatorName, type Call, type Comprehension, type Expr } from "../syntax/ast.ts"
import { estimateCall, type CallEstimate } from "./estimate-calls.ts"
import {
  bothEntries,
  isBind,
  isScalar,
  literalSize,
  orUnknown,
  type Entries,
  type Estimated,
  type SizeOf,
} from "./shapes.ts"
import { anything, nothing, one, plus, range, scale, times, union, unlimited, type Range } from "./sizes.ts"

/** The cost of a checked tree. */
export function estimateCost(tree: Expr, sizeOf: SizeOf): Range {
  return new Estimator(sizeOf).cost(tree)
}

interface Local {
  readonly path: readonly string[]
  readonly size: Range | undefined
  readonly entries: Entries | undefined
}

const least: Range = { min: unlimited, max: 0n }

class Estimator {
  readonly #sizeOf: SizeOf
  readonly #paths = new Map<Expr, readonly string[]>()
  readonly #sizes = new Map<Expr, Range>()
  readonly #entries = new Map<Expr, Entries>()
  readonly #locals = new Map<string, Local[]>()

  constructor(sizeOf: SizeOf) {
    this.#sizeOf = sizeOf
  }

  cost(expr: Expr): Range {
    switch (expr.kind) {
      case "ident":
        this.#paths.set(expr, this.#local(expr.name)?.path ?? [expr.name])
        return one
      case "select":
        return this.#select(expr)
      case "call":
        return this.#call(expr)
      case "list":
        return this.#list(expr)
      case "map":
        return this.#map(expr)
      case "struct":
        return expr.fields.reduce((sum, { value }) => plus(sum, this.cost(value)), range(40))
      case "comprehension":
        return isBind(expr) ? this.#bind(expr) : this.#loop(expr)
      default:
        return nothing
    }
  }

  #local(name: string): Local | undefined {
    return this.#locals.get(name)?.at(-1)
  }
  #push(name: string, local: Local): void {
    const stack = this.#locals.get(name)
    if (stack === undefined) this.#locals.set(name, [local])
    else stack.push(local)
  }
  #pop(name: string): void {
    this.#locals.get(name)!.pop()
  }

  #pathOf(expr: Expr): readonly string[] {
    return (expr.kind === "ident" ? this.#local(expr.name)?.path : undefined) ?? this.#paths.get(expr) ?? []
  }

  #select(expr: Expr & { kind: "select" }): Range {
    const operand = this.cost(expr.operand)
    if (expr.test) return operand
    this.#paths.set(expr, [...this.#pathOf(expr.operand), expr.field])
    return ["map", "struct", "param"].includes(expr.operand.type!.kind) ? plus(operand, one) : operand
  }

  #list(expr: Expr & { kind: "list" }): Range {
    let sum = range(10)
    let value = expr.items.length === 0 ? nothing : least
    for (const item of expr.items) {
      sum = plus(sum, this.cost(item))
      value = union(value, this.#sizeOrUnknown(item))
    }
    this.#entries.set(expr, { kind: "list", key: one, value })
    return sum
  }

  #map(expr: Expr & { kind: "map" }): Range {
    let sum = range(30)
    let key = expr.entries.length === 0 ? nothing : least
    let value = key
    for (const entry of expr.entries) {
      sum = plus(plus(sum, this.cost(entry.key)), this.cost(entry.value))
      key = union(key, this.#sizeOrUnknown(entry.key))
      value = union(value, this.#sizeOrUnknown(entry.value))
    }
    this.#entries.set(expr, { kind: "map", key, value })
    return sum
  }

  #loop(expr: Comprehension): Range {
    let sum = plus(this.cost(expr.range), this.cost(expr.initial))
    this.#pushValue(expr.accumulator, expr.initial)
    const entries = this.#entriesOf(expr.range)
    const list = (entries?.kind ?? expr.range.type!.kind) === "list"
    const path = this.#pathOf(expr.range)
    const local = (part: string, size: Range | undefined): Local => ({
      path: [...path, part],
      size,
      entries: undefined,
    })
    if (expr.variable2 === undefined)
      this.#push(expr.variable, local(list ? "@items" : "@keys", list ? entries?.value : entries?.key))
    else {
      this.#push(expr.variable, local(list ? "@indices" : "@keys", entries?.key))
      this.#push(expr.variable2, local(list ? "@items" : "@values", entries?.value))
    }
    const round = plus(this.cost(expr.condition), this.cost(expr.step))
    this.#pop(expr.variable)
    if (expr.variable2 !== undefined) this.#pop(expr.variable2)
    sum = plus(sum, this.cost(expr.result))
    this.#pop(expr.accumulator)
    const rounds = this.#sizeOrUnknown(expr.range)
    if (expr.initial.kind === "literal") this.#setSize(expr, this.#sizeOfExpr(expr.initial))
    else if (expr.initial.kind === "list" || expr.initial.kind === "map") {
      this.#setSize(expr, rounds)
      this.#setEntries(expr, this.#entriesOf(expr.step))
    }
    return plus(sum, times(rounds, round))
  }

  #bind(expr: Comprehension): Range {
    const sum = plus(this.cost(expr.range), this.cost(expr.initial))
    this.#pushValue(expr.accumulator, expr.initial)
    const whole = plus(sum, this.cost(expr.result))
    this.#pop(expr.accumulator)
    this.#copySizes(expr, expr.result)
    return whole
  }

  #pushValue(name: string, expr: Expr): void {
    this.#push(name, {
      path: this.#pathOf(expr),
      size: this.#sizeOfExpr(expr),
      entries: this.#entriesOf(expr),
    })
  }

  #call(call: Call): Range {
    if (call.name === "dyn") {
      const cost = this.cost(call.args[0]!)
      this.#copySizes(call, call.args[0]!)
      return plus(one, cost)
    }
    const costs = call.args.map((arg) => this.cost(arg))
    const args = call.args.map((arg) => this.#estimated(arg))
    if (call.overloads === undefined || call.overloads.length === 0) return nothing
    let sum = nothing
    let target: Estimated | undefined
    if (call.target !== undefined) {
      sum = this.cost(call.target)
      target = this.#estimated(call.target)
    }
    let cost: Range = least
    let size: Range | undefined
    for (const overload of call.overloads) {
      const estimate = this.#overload(call, overload, target, args, costs)
      cost = union(cost, estimate.cost)
      if (estimate.size !== undefined) size = size === undefined ? estimate.size : union(size, estimate.size)
      if (overload === "index_list" || overload === "index_map") {
        size = this.#entriesOf(call.args[0]!)?.value
        this.#paths.set(call, [
          ...this.#pathOf(call.args[0]!),
          overload === "index_list" ? "@items" : "@values",
        ])
      }
      size ??= this.#sizeOfExpr(call)
    }
    this.#setSize(call, size)
    return plus(sum, cost)
  }

  #overload(
    call: Call,
    overload: string,
    target: Estimated | undefined,
    args: readonly Estimated[],
    costs: readonly Range[],
  ): CallEstimate {
    const argCost = costs.reduce(plus, nothing)
    const own = estimateCall(call.name, overload, target, args, this.#sizeOf)
    if (own !== undefined) return { cost: plus(own.cost, argCost), size: own.size }
    switch (overload) {
      case "logical_or":
      case "logical_and":
        return { cost: { min: costs[0]!.min, max: plus(costs[0]!, costs[1]!).max }, size: undefined }
      case "conditional":
        this.#setEntries(call, bothEntries(this.#entriesOf(call.args[1]!), this.#entriesOf(call.args[2]!)))
        return {
          cost: plus(costs[0]!, union(costs[1]!, costs[2]!)),
          size: union(orUnknown(args[1]!), orUnknown(args[2]!)),
        }
      case "add_string":
      case "add_bytes":
      case "add_list": {
        const size = plus(orUnknown(args[0]!), orUnknown(args[1]!))
        this.#setEntries(call, bothEntries(this.#entriesOf(call.args[0]!), this.#entriesOf(call.args[1]!)))
        return { cost: plus(overload === "add_list" ? one : scale(size, 0.1), argCost), size }
      }
      default:
        return { cost: plus(one, argCost), size: undefined }
    }
  }

  #estimated(expr: Expr): Estimated {
    const path = this.#pathOf(expr)
    return {
      path: path[0] === accumulatorName ? [] : path,
      type: expr.type!,
      expr,
      size: this.#sizeOfExpr(expr),
    }
  }

  #setSize(expr: Expr, size: Range | undefined): void {
    if (size !== undefined) this.#sizes.set(expr, size)
  }
  #setEntries(expr: Expr, entries: Entries | undefined): void {
    if (entries !== undefined) this.#entries.set(expr, entries)
  }
  #copySizes(to: Expr, from: Expr): void {
    this.#setSize(to, this.#sizeOfExpr(from))
    this.#setEntries(to, this.#entriesOf(from))
  }

  #sizeOrUnknown(expr: Expr): Range {
    return this.#sizeOfExpr(expr) ?? anything
  }

  #sizeOfExpr(expr: Expr): Range | undefined {
    const known = this.#sizes.get(expr) ?? literalSize(expr)
    if (known !== undefined) return known
    const estimated = this.#sizeOf(this.#pathOf(expr))
    if (estimated !== undefined) {
      this.#sizes.set(expr, estimated)
      return estimated
    }
    if (isScalar(expr.type!)) return one
    return expr.kind === "ident" ? this.#local(expr.name)?.size : undefined
  }

  #entriesOf(expr: Expr): Entries | undefined {
    return this.#entries.get(expr) ?? (expr.kind === "ident" ? this.#local(expr.name)?.entries : undefined)
  }
}
