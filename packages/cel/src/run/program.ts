/** A compiled expression, ready to be evaluated as often as one likes. Mirrors: cel-go cel/program.go */
import type { Declarations } from "../check/scope.ts"
import type { Expr } from "../syntax/ast.ts"
import type { Run } from "./attributes.ts"
import { EvaluationCancelled, Frame } from "./frame.ts"
import type { Functions } from "./functions.ts"
import { Planner } from "./plan.ts"
import { CelError, type Value } from "./values.ts"

/** What an evaluation came to: a value or an error, and what it cost. */
export type Evaluation =
  | { readonly value: Exclude<Value, CelError>; readonly error?: undefined; readonly cost: number }
  | { readonly value?: undefined; readonly error: string; readonly cost: number }

export interface EvaluateOptions {
  /** The evaluation ends with an error beyond it. Default 1,000,000: Kubernetes' limit of one call. */
  readonly costLimit?: number
}

const defaultLimit = 1_000_000

export class Program {
  readonly #run: Run
  readonly #slots: number
  readonly #globals: readonly string[]
  readonly #readers: readonly ((raw: unknown) => Value)[]

  constructor(
    tree: Expr,
    declarations: Declarations,
    functions: Functions,
    readerOf: (variable: string) => (raw: unknown) => Value,
  ) {
    const planner = new Planner(declarations, functions)
    this.#run = planner.plan(tree).run
    this.#slots = planner.slots
    this.#globals = planner.globals
    this.#readers = this.#globals.map(readerOf)
  }

  /** The variables that it reads. */
  get variables(): readonly string[] {
    return this.#globals
  }

  /**
   * Evaluates. `variables` holds decoded values (or {@link Value}s of libraries); one that is undefined does not exist.
   * Never throws but what an authorizer throws.
   */
  evaluate(
    variables: Readonly<Record<string, unknown>>,
    { costLimit = defaultLimit }: EvaluateOptions = {},
  ): Evaluation {
    const frame = new Frame(costLimit, this.#slots, this.#globals.length, (index) => {
      const name = this.#globals[index]!
      const raw = Object.hasOwn(variables, name) ? variables[name] : undefined
      return raw === undefined ? undefined : this.#readers[index]!(raw)
    })
    try {
      const value = this.#run(frame)
      return value instanceof CelError
        ? { error: value.message, cost: frame.cost }
        : { value, cost: frame.cost }
    } catch (error) {
      if (!(error instanceof EvaluationCancelled)) throw error
      return { error: error.message, cost: frame.cost }
    }
  }
}
