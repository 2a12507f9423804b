/**
 * Asking, inside an expression, whether somebody may do something. Evaluation does not wait: an answer that has to be
 * waited for ends it with what is asked, and the caller evaluates again when the answer is there ({@link PendingDecision}).
 * Mirrors: apiserver pkg/cel/library/authz.go
 */
import { nameIsDNSLabel, nameIsDNSSubdomain } from "@knarr/apimachinery"
import { structOf, type CelType } from "../check/types.ts"
import type { Implementation } from "../run/functions.ts"
import { CelError, ObjectValue, maybeNoSuchOverload, noSuchOverload, type Value } from "../run/values.ts"

const named = (name: string): CelType => structOf(`kubernetes.authorization.${name}`)
export const authorizerType: CelType = named("Authorizer")
export const resourceCheckType: CelType = named("ResourceCheck")

/** What is asked: of a path, or of a resource. Unset fields are empty. */
export interface AuthorizationQuestion {
  /** `system:serviceaccount:NAMESPACE:NAME` when not of the user of the request. */
  readonly serviceAccount?: { readonly namespace: string; readonly name: string }
  readonly verb: string
  readonly path?: string
  readonly group?: string
  readonly resource?: string
  readonly subresource?: string
  readonly namespace?: string
  readonly name?: string
  readonly fieldSelector?: string
  readonly labelSelector?: string
}

export interface AuthorizationAnswer {
  readonly allowed: boolean
  readonly reason: string
  /** What went wrong in finding out. */
  readonly error?: string
}

/** The answer, or undefined when it must be waited for. */
export type Ask = (question: AuthorizationQuestion) => AuthorizationAnswer | undefined

/** Thrown out of an evaluation that needs an answer which is not there yet. */
export class PendingDecision {
  readonly question: AuthorizationQuestion
  constructor(question: AuthorizationQuestion) {
    this.question = question
  }
}

abstract class AuthorizerObject extends ObjectValue {
  equalTo(other: Value): Value {
    return other instanceof AuthorizerObject ? other === this : noSuchOverload
  }
}

/** The variables `authorizer` and `authorizer.requestResource`, and every check on the way. */
class Check extends AuthorizerObject {
  readonly type: CelType
  readonly ask: Ask
  readonly question: Omit<AuthorizationQuestion, "verb">
  constructor(type: CelType, ask: Ask, question: Omit<AuthorizationQuestion, "verb">) {
    super()
    this.type = type
    this.ask = ask
    this.question = question
  }
}

class Decision extends AuthorizerObject {
  readonly type = named("Decision")
  readonly answer: AuthorizationAnswer
  constructor(answer: AuthorizationAnswer) {
    super()
    this.answer = answer
  }
}

/** The value of `authorizer`. */
export const authorizerValue = (ask: Ask): Value => new Check(authorizerType, ask, {})
/** The value of `authorizer.requestResource`. */
export const requestResourceValue = (ask: Ask, resource: Omit<AuthorizationQuestion, "verb">): Value =>
  new Check(resourceCheckType, ask, resource)

const refine =
  (type: CelType, field: keyof AuthorizationQuestion, empty?: string): Implementation =>
  (check, text) => {
    if (!(check instanceof Check)) return maybeNoSuchOverload(check!)
    if (text === "" && empty !== undefined) return new CelError(empty)
    return new Check(type, check.ask, { ...check.question, [field]: text })
  }

const check: Implementation = (asked, verb) => {
  if (!(asked instanceof Check)) return maybeNoSuchOverload(asked!)
  const question = { ...asked.question, verb: verb as string }
  const answer = asked.ask(question)
  if (answer === undefined) throw new PendingDecision(question)
  return new Decision(answer)
}

const serviceAccount: Implementation = (check_, namespace, name) => {
  if (!(check_ instanceof Check)) return maybeNoSuchOverload(check_!)
  if (nameIsDNSSubdomain(name as string, false).length > 0)
    return new CelError("Invalid service account name")
  if (nameIsDNSLabel(namespace as string, false).length > 0)
    return new CelError("Invalid service account namespace")
  return new Check(authorizerType, check_.ask, {
    serviceAccount: { namespace: namespace as string, name: name as string },
  })
}

const ofDecision =
  (read: (answer: AuthorizationAnswer) => Value): Implementation =>
  (decision) =>
    decision instanceof Decision ? read(decision.answer) : maybeNoSuchOverload(decision!)

/** By overload. */
export const authorizerOverloads: readonly (readonly [string, Implementation])[] = [
  ["authorizer_path", refine(named("PathCheck"), "path", "path must not be empty")],
  ["authorizer_group", refine(named("GroupCheck"), "group")],
  ["authorizer_serviceaccount", serviceAccount],
  ["groupcheck_resource", refine(resourceCheckType, "resource", "resource must not be empty")],
  ["resourcecheck_subresource", refine(resourceCheckType, "subresource")],
  ["resourcecheck_namespace", refine(resourceCheckType, "namespace")],
  ["resourcecheck_name", refine(resourceCheckType, "name")],
  ["authorizer_fieldselector", refine(resourceCheckType, "fieldSelector")],
  ["authorizer_labelselector", refine(resourceCheckType, "labelSelector")],
  ["pathcheck_check", check],
  ["resourcecheck_check", check],
  ["decision_allowed", ofDecision(({ allowed }) => allowed)],
  ["decision_reason", ofDecision(({ reason }) => reason)],
  ["decision_errored", ofDecision(({ error }) => error !== undefined)],
  ["decision_error", ofDecision(({ error }) => error ?? "")],
]
