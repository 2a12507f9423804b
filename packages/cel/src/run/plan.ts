/**
 * From a checked tree to closures: made once, run often. What is constant is computed here; a constant that fails is
 * a problem of the expression and not of its evaluation.
 * Mirrors: cel-go interpreter/planner.go, decorators.go (Optimize), interpretable.go
 */
import { goRegexp } from "@knarr/apimachinery"
import { structOfName, type Declarations } from "../check/scope.ts"
import { callCost } from "../cost/actual.ts"
import { operators, type Call, type Comprehension, type Expr, type Select } from "../syntax/ast.ts"
import { BaseAttribute, ConditionalAttribute, type Attribute, type Run } from "./attributes.ts"
import { planFold } from "./fold.ts"
import { bind, type Functions } from "./functions.ts"
import { binary, logical, membership, optionalOr, unary } from "./operators.ts"
import { planList, planMap, planStruct } from "./plan-aggregates.ts"
import { PlanProblem, constant, type Step } from "./step.ts"
import { CelError, CelList, Optional, equal, type Value } from "./values.ts"

const conversions = new Set([
  "bool",
  "bytes",
  "double",
  "duration",
  "dyn",
  "int",
  "string",
  "timestamp",
  "type",
  "uint",
])
const regexFunctions = new Set(["matches", "find", "findAll"])

function chain(attribute: Attribute): Step {
  return {
    attribute,
    run: (frame) => {
      const value = attribute.resolve(frame)
      frame.charge(attribute.cost)
      return value
    },
  }
}

export class Planner {
  readonly #declarations: Declarations
  readonly #functions: Functions
  /** Where loops keep their variables: name to slot, the innermost last. */
  readonly #locals: [name: string, read: Run][] = []
  readonly globals: string[] = []
  slots = 0

  constructor(declarations: Declarations, functions: Functions) {
    this.#declarations = declarations
    this.#functions = functions
  }

  plan(expr: Expr): Step {
    switch (expr.kind) {
      case "literal":
        return constant(expr.value)
      case "ident":
        return expr.constant === undefined ? this.#variable(expr.name) : constant(expr.constant)
      case "select":
        return this.#select(expr)
      case "call":
        return this.#call(expr)
      case "list":
        return planList(expr, (part) => this.plan(part))
      case "map":
        return planMap(expr, (part) => this.plan(part))
      case "struct":
        return planStruct(
          expr,
          (part) => this.plan(part),
          structOfName(this.#declarations, expr.name)?.create,
        )
      case "comprehension":
        return this.#fold(expr)
      case "error":
        throw new PlanProblem("unsupported expr")
    }
  }

  #variable(name: string): Step {
    if (!name.startsWith(".")) {
      const local = this.#locals.findLast(([known]) => known === name)
      if (local !== undefined) return chain(new BaseAttribute(local[1]))
    }
    const plain = name.startsWith(".") ? name.slice(1) : name
    let index = this.globals.indexOf(plain)
    if (index < 0) index = this.globals.push(plain) - 1
    const missing = new CelError(`no such attribute(s): ${plain}`)
    return chain(
      new BaseAttribute((frame) => {
        const value = frame.global(index)
        return value === undefined ? missing : value
      }),
    )
  }

  #attributeOf(step: Step): Attribute {
    return step.attribute ?? new BaseAttribute(step.run)
  }

  #select(expr: Select): Step {
    const attribute = this.#attributeOf(this.plan(expr.operand))
    attribute.qualify({ key: expr.field, optional: false, test: expr.test })
    if (!expr.test) return chain(attribute)
    return {
      run: (frame) => {
        const found = attribute.resolve(frame)
        return found instanceof Optional ? found.value !== undefined : found
      },
    }
  }

  #call(call: Call): Step {
    const args = (call.target === undefined ? call.args : [call.target, ...call.args]).map((arg) =>
      this.plan(arg),
    )
    const [first, second] = args
    switch (call.name) {
      case operators.and:
        return {
          run: logical(
            args.map(({ run }) => run),
            false,
          ),
        }
      case operators.or:
        return {
          run: logical(
            args.map(({ run }) => run),
            true,
          ),
        }
      case operators.conditional:
        return chain(
          new ConditionalAttribute(first!.run, this.#attributeOf(second!), this.#attributeOf(args[2]!)),
        )
      case operators.index:
        return this.#index(first!, second!, false)
      case operators.optionalSelect:
      case operators.optionalIndex:
        return this.#index(first!, second!, true)
      case operators.equals:
      case operators.notEquals:
        return this.#equality(call, first!.run, second!.run)
      case operators.in:
        if (
          call.overloads?.length === 1 &&
          call.overloads[0] === "in_list" &&
          second!.constant?.value instanceof CelList
        ) {
          const step = membership(first!.run, second!.constant.value)
          if (step !== undefined) return step
        }
        break
      case "or":
      case "orValue":
        if (call.overloads?.[0]?.startsWith("optional_or") === true)
          return { run: optionalOr(first!.run, second!.run, call.name === "orValue") }
    }
    return this.#function(call, args)
  }

  #index(operand: Step, index: Step, optional: boolean): Step {
    const attribute = this.#attributeOf(operand)
    const inner = index.attribute
    const key =
      index.constant !== undefined
        ? index.constant.value
        : inner === undefined
          ? index.run
          : inner.resolve.bind(inner)
    attribute.qualify({ key, optional, test: false })
    return chain(attribute)
  }

  #equality(call: Call, left: Run, right: Run): Step {
    const negated = call.name === operators.notEquals
    const cost = callCost(call.name, negated ? "not_equals" : "equals")
    return {
      run: (frame) => {
        const a = left(frame)
        const b = right(frame)
        let result: Value
        if (a instanceof CelError) result = a
        else if (b instanceof CelError) result = b
        else {
          result = equal(a, b)
          if (negated) result = result !== true
        }
        frame.charge(cost([a, b], result))
        return result
      },
    }
  }

  #function(call: Call, args: readonly Step[]): Step {
    const ids = call.overloads ?? []
    const binding = bind(call.name, ids, this.#declarations.functions.get(call.name) ?? [], this.#functions)
    if (binding === undefined) throw new PlanProblem(`no such overload: ${call.name}`)
    if (args.length === 1 && conversions.has(call.name) && args[0]!.constant !== undefined) {
      const value = binding.run(args[0]!.constant.value)
      if (value instanceof CelError) throw new PlanProblem(value.message)
      return constant(value)
    }
    let { stopsAtError } = binding
    if (regexFunctions.has(call.name) && typeof args[1]?.constant?.value === "string") {
      stopsAtError = true
      const regex = goRegexp(args[1].constant.value)
      if (typeof regex === "string") throw new PlanProblem(regex)
    }
    const cost = callCost(call.name, ids.length === 1 ? ids[0]! : "")
    const runs = args.map(({ run }) => run)
    const absorbs = call.name === operators.notStrictlyFalse
    if (runs.length === 1) return { run: unary(runs[0]!, binding.run, cost, absorbs) }
    if (runs.length === 2 && !stopsAtError) return { run: binary(runs[0]!, runs[1]!, binding.run, cost) }
    return {
      run: (frame) => {
        const values: Value[] = []
        for (const run of runs) {
          const value = run(frame)
          if (value instanceof CelError) return value
          values.push(value)
        }
        const result = binding.run(...values)
        frame.charge(cost(values, result))
        return result
      },
    }
  }

  #fold(expr: Comprehension): Step {
    const accumulator = this.slots++
    const first = this.slots++
    const second = expr.variable2 === undefined ? undefined : this.slots++
    const initial = this.plan(expr.initial)
    const range = this.plan(expr.range)
    const read =
      (slot: number): Run =>
      (frame) =>
        frame.locals[slot]!
    const { readAccumulator, fold } = planFold({ accumulator, first, second }, initial.run, range.run)
    if (second !== undefined) this.#locals.push([expr.variable2!, read(second)])
    this.#locals.push([expr.variable, read(first)], [expr.accumulator, readAccumulator])
    const condition = this.plan(expr.condition)
    const step = this.plan(expr.step)
    this.#locals.length -= second === undefined ? 2 : 3
    this.#locals.push([expr.accumulator, readAccumulator])
    const result = this.plan(expr.result)
    this.#locals.pop()
    return { run: fold(condition.run, step.run, result.run) }
  }
}
