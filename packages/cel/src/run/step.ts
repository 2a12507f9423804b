/** One part of a program. Mirrors: cel-go interpreter/interpretable.go */
import type { Attribute, Run } from "./attributes.ts"
import type { Value } from "./values.ts"

/** An expression cannot be made a program: a constant in it fails. */
export class PlanProblem {
  readonly message: string
  constructor(message: string) {
    this.message = message
  }
}

export interface Step {
  readonly run: Run
  /** Known before it runs. */
  readonly constant?: { readonly value: Value }
  /** A chain that can still be qualified. */
  readonly attribute?: Attribute
}

/** A step that is known before it runs. */
export const constant = (value: Value): Step => ({ run: () => value, constant: { value } })
