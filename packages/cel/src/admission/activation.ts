/**
 * One request as expressions see it: variables are evaluated when they are first read, and all that is evaluated is paid
 * from a budget.
 * Mirrors: apiserver pkg/admission/plugin/cel/{activation,composition}.go, pkg/cel/lazy
 */
import type { Program } from "../run/program.ts"
import { CelError, CelMap, type Value } from "../run/values.ts"
import type { AdmissionExpression } from "./compiler.ts"

/** Ends the evaluation of everything that shares a budget. */
export class OutOfBudget extends Error {
  constructor() {
    super("validation failed due to running out of cost budget, no further validation rules will be run")
  }
}

/** What an expression came to: a value, or an error in words for clients. */
export type AdmissionEvaluation =
  | { readonly value: Value; readonly error?: undefined }
  | { readonly value?: undefined; readonly error: string }

/** Values of variables by name, as {@link AdmissionCompiler} declares them: decoded values, or of `cel`'s own. */
export type AdmissionValues = Readonly<Record<string, unknown>>

export class Activation {
  readonly #values: AdmissionValues
  readonly #variables: Variables
  #left: number

  /** `composed` are the variables of a policy; `budget` is what all evaluations together may cost. */
  constructor(values: AdmissionValues, composed: ReadonlyMap<string, AdmissionExpression>, budget: number) {
    this.#left = budget
    this.#variables = new Variables(composed, (program) => program.evaluate(this.#values))
    this.#values = { ...values, variables: this.#variables }
  }

  /** What is left of the budget. */
  get left(): number {
    return this.#left
  }

  /** Throws {@link OutOfBudget}, and what the authorizer throws: the same can be evaluated again afterwards. */
  evaluate({ text, program, problem }: AdmissionExpression): AdmissionEvaluation {
    if (problem) return { error: `compilation error: ${problem.detail}` }
    this.#variables.budget = this.#left
    const { value, error, cost } = this.#run(program!)
    const spent = cost + this.#variables.takeCost()
    if (spent > this.#left) {
      this.#left = -1
      throw new OutOfBudget()
    }
    this.#left -= spent
    return error === undefined
      ? { value: value! }
      : { error: `expression '${text}' resulted in error: ${error}` }
  }

  /** A variable that stands on too many others is evaluated from the ground up. */
  #run(program: Program): ReturnType<Program["evaluate"]> {
    const due: string[] = []
    for (;;) {
      try {
        const next = due.at(-1)
        if (next === undefined) return program.evaluate(this.#values)
        this.#variables.find(next)
        due.pop()
      } catch (thrown) {
        if (!(thrown instanceof TooDeep)) throw thrown
        due.push(thrown.variable)
      }
    }
  }
}

/** How many variables may wait for one another on the stack. */
const maxDepth = 32

/** Thrown out of an evaluation that needs a variable which is evaluated first. */
class TooDeep {
  readonly variable: string
  constructor(variable: string) {
    this.variable = variable
  }
}

class Variables extends CelMap {
  readonly #composed: ReadonlyMap<string, AdmissionExpression>
  readonly #evaluate: (program: Program) => ReturnType<Program["evaluate"]>
  readonly #known = new Map<string, Value>()
  #cost = 0
  #depth = 0
  /** Beyond it nothing more is evaluated. */
  budget = 0

  constructor(
    composed: ReadonlyMap<string, AdmissionExpression>,
    evaluate: (program: Program) => ReturnType<Program["evaluate"]>,
  ) {
    super()
    this.#composed = composed
    this.#evaluate = evaluate
  }

  /** What variables have cost since it was last asked. */
  takeCost(): number {
    const cost = this.#cost
    this.#cost = 0
    return cost
  }

  get size(): number {
    return this.#composed.size
  }

  keys(): Value[] {
    return [...this.#composed.keys()]
  }

  find(key: Value): Value | undefined {
    if (typeof key !== "string") return undefined
    const expression = this.#composed.get(key)
    if (!expression) return undefined
    let value = this.#known.get(key)
    if (value === undefined) this.#known.set(key, (value = this.#valueOf(key, expression)))
    return value
  }

  #valueOf(name: string, { program, problem }: AdmissionExpression): Value {
    if (problem) return new CelError(`composited variable "${name}" fails to compile: ${problem.detail}`)
    if (this.#cost > this.budget) return new CelError("out of budget")
    if (this.#depth >= maxDepth) throw new TooDeep(name)
    this.#depth++
    try {
      const { value, error, cost } = this.#evaluate(program!)
      this.#cost += cost
      return error === undefined
        ? value
        : new CelError(`composited variable "${name}" fails to evaluate: ${error}`)
    } finally {
      this.#depth--
    }
  }
}
