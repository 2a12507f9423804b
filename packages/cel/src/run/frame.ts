/**
 * One evaluation: the variables, what loops hold, and what it has cost so far.
 * Mirrors: cel-go interpreter/frame.go, runtimecost.go (limit)
 */
import type { Value } from "./values.ts"

/** Ends an evaluation; nothing absorbs it. */
export class EvaluationCancelled {
  readonly message: string
  constructor(message: string) {
    this.message = message
  }
}

/** Rounds of loops that cost nothing are bounded too (or by twice the limit of cost): nobody can interrupt an evaluation. */
const minRounds = 2_000_000

export class Frame {
  cost = 0
  readonly limit: number
  readonly locals: (Value | undefined)[]
  /** The values of variables, each made when it is first read. */
  readonly globals: (Value | undefined)[]
  readonly #read: (index: number) => Value | undefined
  readonly #maxRounds: number
  #rounds = 0

  constructor(limit: number, locals: number, globals: number, read: (index: number) => Value | undefined) {
    this.limit = limit
    this.#maxRounds = Math.max(minRounds, 2 * limit)
    this.locals = new Array(locals)
    this.globals = new Array(globals)
    this.#read = read
  }

  /** Adds to the cost; ends the evaluation beyond the limit. */
  charge(cost: number): void {
    this.cost += cost
    if (this.cost > this.limit)
      throw new EvaluationCancelled("operation cancelled: actual cost limit exceeded")
  }

  round(): void {
    if (++this.#rounds > this.#maxRounds) throw new EvaluationCancelled("operation interrupted")
  }

  global(index: number): Value | undefined {
    const value = this.globals[index]
    return value === undefined ? (this.globals[index] = this.#read(index)) : value
  }
}
