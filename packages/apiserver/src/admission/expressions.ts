/**
 * A request as the expressions of policies and match conditions see it.
 * Mirrors: apiserver pkg/admission/plugin/cel/{activation,condition}.go, pkg/admission/plugin/authorizer
 */
import type { Kind, KubeObject } from "@knarr/apimachinery"
import {
  authorizerValue,
  requestResourceValue,
  PendingDecision,
  type AuthorizationAnswer,
  type AuthorizationQuestion,
} from "@knarr/cel"
import { whenReady } from "@knarr/base"
import { askedFields, askedLabels, resourceAttributes } from "../authz/attributes.ts"
import type { AdmissionAttributes, AdmissionDeps, Decision } from "../contract.ts"

/** The request's objects in the version that somebody wants to see. */
export interface Seen {
  readonly kind: Kind
  readonly object: Readonly<KubeObject> | undefined
  readonly oldObject: Readonly<KubeObject> | undefined
}

/** The request in the version `kind`. A promise where somebody converts it. */
export function seenAs(kind: Kind, a: AdmissionAttributes, deps: AdmissionDeps): Seen | Promise<Seen> {
  const { object, oldObject } = a
  if (kind === a.kind || a.subresource !== "") return { kind, object, oldObject }
  const as = (one: Readonly<KubeObject> | undefined): KubeObject | undefined | Promise<KubeObject> =>
    one && deps.convert(one, kind)
  return whenReady(as(object), (now) =>
    whenReady(as(oldObject), (old) => ({ kind, object: now, oldObject: old })),
  )
}

/** The AdmissionRequest without its objects and its uid, as JSON has it: what is empty is left out. */
export function requestOf(a: AdmissionAttributes, seen: Pick<Seen, "kind">): Record<string, unknown> {
  const { requestKind, requestResource, subresource } = a
  const { kind } = seen
  const { name: username, uid, groups, extra } = a.user
  const isOther = kind !== a.kind
  return {
    kind: isOther ? { group: kind.group, version: kind.version, kind: kind.kind } : requestKind,
    resource: isOther ? { group: kind.group, version: kind.version, resource: kind.plural } : requestResource,
    ...(subresource ? { subResource: subresource } : {}),
    requestKind,
    requestResource,
    ...(subresource ? { requestSubResource: subresource } : {}),
    ...(a.name ? { name: a.name } : {}),
    ...(a.namespace ? { namespace: a.namespace } : {}),
    operation: a.operation,
    userInfo: {
      username,
      ...(uid ? { uid } : {}),
      ...(groups.length > 0 ? { groups } : {}),
      ...(extra && Object.keys(extra).length > 0 ? { extra } : {}),
    },
    dryRun: a.dryRun,
    options: a.options ?? null,
  }
}

/**
 * The authorizer's answers about one request, each asked for once. An answer that has to be waited for ends the
 * evaluation, which is done again when it is there.
 */
export class Asking {
  readonly #a: AdmissionAttributes
  readonly #deps: Pick<AdmissionDeps, "authorize">
  readonly #answers = new Map<string, AuthorizationAnswer>()
  readonly #waiting = new Map<string, Promise<Decision>>()

  constructor(a: AdmissionAttributes, deps: Pick<AdmissionDeps, "authorize">) {
    this.#a = a
    this.#deps = deps
  }

  /** The variables `authorizer` and `authorizer.requestResource`. */
  variables(): Readonly<Record<string, unknown>> {
    const { kind, subresource, namespace, name } = this.#a
    const ask = (question: AuthorizationQuestion): AuthorizationAnswer | undefined => this.#ask(question)
    const resource = { group: kind.group, resource: kind.plural, subresource, namespace, name }
    return {
      authorizer: authorizerValue(ask),
      "authorizer.requestResource": requestResourceValue(ask, resource),
    }
  }

  /** Does `evaluate`, again with each answer that had to be waited for. */
  settle<T>(evaluate: () => T): T | Promise<T> {
    try {
      return evaluate()
    } catch (thrown) {
      if (!(thrown instanceof PendingDecision)) throw thrown
      const key = JSON.stringify(thrown.question)
      return this.#waiting.get(key)!.then((decision) => {
        this.#answers.set(key, answerOf(decision))
        return this.settle(evaluate)
      })
    }
  }

  #ask(question: AuthorizationQuestion): AuthorizationAnswer | undefined {
    const key = JSON.stringify(question)
    const known = this.#answers.get(key)
    if (known) return known
    const { serviceAccount, verb, path = "", group = "", resource = "", subresource = "" } = question
    const user = serviceAccount ? serviceAccountUser(serviceAccount) : this.#a.user
    const { namespace = "", name = "", fieldSelector, labelSelector } = question
    const attributes = resourceAttributes({
      verb,
      apiGroup: group,
      resource,
      subresource,
      namespace,
      name,
      path,
      isResourceRequest: path === "",
      fieldSelector: askedFields(fieldSelector),
      labelSelector: askedLabels(labelSelector),
    })
    const decision = this.#deps.authorize(user, attributes, this.#a)
    if (decision instanceof Promise) {
      this.#waiting.set(key, decision)
      return undefined
    }
    const answer = answerOf(decision)
    this.#answers.set(key, answer)
    return answer
  }
}

function answerOf({ verdict, reason, error }: Decision): AuthorizationAnswer {
  return { allowed: verdict === "allow", reason, ...(error ? { error: error.message } : {}) }
}

function serviceAccountUser({ namespace, name }: { readonly namespace: string; readonly name: string }): {
  readonly name: string
  readonly groups: string[]
} {
  return {
    name: `system:serviceaccount:${namespace}:${name}`,
    groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"],
  }
}
