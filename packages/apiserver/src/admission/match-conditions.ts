/**
 * Expressions that say whether a webhook is asked, or a policy applies, at all.
 * Mirrors: apiserver pkg/admission/plugin/webhook/matchconditions
 */
import type { MatchCondition } from "@knarr/api"
import { aggregate } from "@knarr/apimachinery"
import {
  Activation,
  AdmissionCompiler,
  boolType,
  type AdmissionExpression,
  type AdmissionValues,
} from "@knarr/cel"
import type { ConditionsOwner, MatchConditionMetrics } from "./metrics.ts"

/** What all conditions of one webhook or policy may cost. Mirrors: apiserver pkg/apis/cel/config.go */
const budget = 2_500_000

export class MatchConditions {
  readonly #expressions: readonly AdmissionExpression[]
  readonly #variables: ReadonlyMap<string, AdmissionExpression>
  readonly #owner: ConditionsOwner

  /** `compiler` is the policy's; a webhook has none. */
  constructor(
    conditions: readonly MatchCondition[],
    owner: ConditionsOwner,
    compiler: AdmissionCompiler = new AdmissionCompiler({ params: false, composed: false }),
  ) {
    this.#expressions = conditions.map(({ expression }) =>
      compiler.compile(expression, { returns: [boolType] }),
    )
    this.#variables = compiler.variables
    this.#owner = owner
  }

  /**
   * Whether all of them hold; one that does not decides, whatever is wrong with others. Throws what went wrong, and what
   * waits for the authorizer.
   */
  hold(values: AdmissionValues, operation: string, metrics: MatchConditionMetrics): boolean {
    if (this.#expressions.length === 0) return true
    const activation = new Activation({ ...values, namespaceObject: null }, this.#variables, budget)
    const done = metrics.evaluating(this.#owner, operation)
    const results = this.#expressions.map((expression) => activation.evaluate(expression))
    done()
    const errors = results.flatMap(({ error }) => (error === undefined ? [] : [error]))
    for (const _ of errors) metrics.failed(this.#owner, operation)
    if (results.some(({ value }) => value === false)) {
      metrics.excluded(this.#owner, operation)
      return false
    }
    if (errors.length > 0) throw new Error(aggregate(errors))
    return true
  }
}
