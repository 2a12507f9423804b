/** What a validating policy says about a request. Mirrors: apiserver pkg/admission/plugin/policy/validating/validator.go */
import { Activation, OutOfBudget, type AdmissionEvaluation, type AdmissionValues } from "@knarr/cel"
import { messageOf } from "@knarr/base"
import type { MatchConditionMetrics } from "../metrics.ts"
import { evaluationBudget } from "./evaluation-budget.ts"
import type { CompiledValidating, CompiledValidation } from "./compiled-policy.ts"

/** Bytes. */
const longestMessage = 5 * 1024

/** What one validation came to. */
export interface Decision {
  readonly allowed: boolean
  /** Whether it could not be evaluated. */
  readonly failed: boolean
  readonly message: string
  readonly reason: string
  readonly elapsedMs: number
}

export interface PolicyVerdict {
  readonly decisions: readonly Decision[]
  readonly annotations: readonly { readonly key: string; readonly value: string }[]
  /** What keeps annotations from being told, where that refuses the request. */
  readonly annotationErrors: readonly string[]
}

export interface EvaluationContext {
  readonly values: AdmissionValues
  readonly namespaceObject: object | null
  readonly operation: string
  /** What cannot be evaluated does not refuse the request. */
  readonly ignoresFailures: boolean
  readonly conditionMetrics: MatchConditionMetrics
  now(): number
}

/** Throws what waits for the authorizer, and nothing else. */
export function validateInvocation(policy: CompiledValidating, context: EvaluationContext): PolicyVerdict {
  const { values, namespaceObject, operation, ignoresFailures, conditionMetrics } = context
  const failed = (message: string, elapsedMs = 0): Decision => ({
    allowed: ignoresFailures,
    failed: true,
    message,
    reason: "",
    elapsedMs,
  })
  const whole = (message: string): PolicyVerdict => ({
    decisions: [failed(message)],
    annotations: [],
    annotationErrors: [],
  })
  try {
    if (policy.conditions && !policy.conditions.hold(values, operation, conditionMetrics))
      return { decisions: [], annotations: [], annotationErrors: [] }
  } catch (thrown) {
    if (!(thrown instanceof Error)) throw thrown
    // Conditions that are not known to hold leave the policy out where failures are ignored.
    return ignoresFailures ? { decisions: [], annotations: [], annotationErrors: [] } : whole(thrown.message)
  }
  const withNamespace = { ...values, namespaceObject }
  try {
    const activation = new Activation(withNamespace, policy.variables, evaluationBudget)
    const results = policy.validations.map(({ expression }) => {
      const startMs = context.now()
      const result = activation.evaluate(expression)
      return { ...result, elapsedMs: context.now() - startMs }
    })
    // Neither messages nor annotations see the authorizer, nor do variables that they read.
    const { authorizer: _, "authorizer.requestResource": __, ...unasked } = withNamespace as AdmissionValues
    const messages = messagesOf(policy, unasked, activation.left, results)
    const decisions = policy.validations.map((validation, i): Decision => {
      const { value, error, elapsedMs } = results[i]!
      if (error !== undefined) return failed(error, elapsedMs)
      if (messages instanceof OutOfBudget)
        return failed(`failed messageExpression: ${messages.message}`, elapsedMs)
      if (value === true) return { allowed: true, failed: false, message: "", reason: "", elapsedMs }
      const message = textOf(validation, messages[i])
      const reason = validation.validation.reason ?? "Invalid"
      return { allowed: false, failed: false, message, reason, elapsedMs }
    })
    return { decisions, ...annotationsOf(policy, unasked, ignoresFailures) }
  } catch (thrown) {
    if (!(thrown instanceof OutOfBudget)) throw thrown
    return whole(messageOf(thrown))
  }
}

/**
 * Message expressions are evaluated only where something is refused; they are paid from what is left. */
function messagesOf(
  { validations, variables }: CompiledValidating,
  values: AdmissionValues,
  budget: number,
  results: readonly AdmissionEvaluation[],
): readonly (AdmissionEvaluation | undefined)[] | OutOfBudget {
  const needed = (i: number): boolean => results[i]!.error === undefined && results[i]!.value !== true
  if (!validations.some(({ message }, i) => message && needed(i))) return []
  const activation = new Activation(values, variables, budget)
  try {
    return validations.map(({ message }) => message && activation.evaluate(message))
  } catch (thrown) {
    if (thrown instanceof OutOfBudget) return thrown
    throw thrown
  }
}

/** A message that is empty, long or of several lines is not told. */
function textOf({ validation }: CompiledValidation, evaluated: AdmissionEvaluation | undefined): string {
  const value = evaluated?.value
  const text = typeof value === "string" ? value.trim() : ""
  if (text !== "" && !text.includes("\n") && Buffer.byteLength(text) <= longestMessage) return text
  return validation.message?.trim() || `failed expression: ${validation.expression.trim()}`
}

function annotationsOf(
  { auditAnnotations, variables }: CompiledValidating,
  values: AdmissionValues,
  ignoresFailures: boolean,
): Pick<PolicyVerdict, "annotations" | "annotationErrors"> {
  const annotations: { key: string; value: string }[] = []
  const annotationErrors: string[] = []
  if (auditAnnotations.length === 0) return { annotations, annotationErrors }
  const activation = new Activation(values, variables, evaluationBudget)
  for (const { key, expression } of auditAnnotations) {
    const { value, error } = activation.evaluate(expression)
    if (error !== undefined) {
      if (!ignoresFailures) annotationErrors.push(error)
      continue
    }
    const text = typeof value === "string" ? value.trim() : ""
    if (text !== "") annotations.push({ key, value: text })
  }
  return { annotations, annotationErrors }
}
