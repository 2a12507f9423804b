/**
 * Expressions that say whether a webhook is asked at all. Mirrors: apiserver pkg/admission/plugin/webhook/matchconditions
 */
import type { MatchCondition } from "@knarr/api"
import type { KubeObject } from "@knarr/apimachinery"
import {
  authorizerType,
  authorizerValue,
  CelEnvironment,
  CelIssues,
  dynType,
  type AuthorizationAnswer,
  type AuthorizationQuestion,
  PendingDecision,
  type Program,
} from "@knarr/cel"
import type { AdmissionAttributes, AdmissionDeps } from "../../contract.ts"

/** What all conditions of one webhook may cost. Mirrors: apiserver pkg/apis/cel/config.go */
const budget = 2_500_000

const environment = new CelEnvironment({
  variables: {
    object: { type: dynType },
    oldObject: { type: dynType },
    request: { type: dynType },
    authorizer: { type: authorizerType, read: (raw) => raw as never },
  },
})
const programs = new WeakMap<MatchCondition, Program>()

function programOf(condition: MatchCondition): Program {
  let program = programs.get(condition)
  if (!program) {
    const compiled = environment.compile(condition.expression)
    if (compiled instanceof CelIssues) throw new Error(`compilation failed: ${compiled.toString()}`)
    programs.set(condition, (program = compiled.program()))
  }
  return program
}

/** Whether all conditions hold; one that does not decides, whatever is wrong with others. Rejects with what went wrong. */
export async function conditionsHold(
  conditions: readonly MatchCondition[],
  a: AdmissionAttributes,
  objects: {
    readonly object: Readonly<KubeObject> | undefined
    readonly oldObject: Readonly<KubeObject> | undefined
  },
  deps: AdmissionDeps,
): Promise<boolean> {
  const answers = new Map<string, AuthorizationAnswer>()
  const variables = {
    object: objects.object ?? null,
    oldObject: objects.oldObject ?? null,
    request: requestOf(a),
    authorizer: authorizerValue((question) => answers.get(JSON.stringify(question))),
  }
  let failure: Error | undefined
  let left = budget
  for (const condition of conditions) {
    for (;;) {
      try {
        const { value, error, cost } = programOf(condition).evaluate(variables, {
          costLimit: Math.max(left, 1),
        })
        left -= cost
        if (error !== undefined) failure ??= new Error(error)
        else if (value === false) return false
        break
      } catch (thrown) {
        if (!(thrown instanceof PendingDecision)) throw thrown
        answers.set(JSON.stringify(thrown.question), await answerTo(thrown.question, a, deps))
      }
    }
  }
  if (failure) throw failure
  return true
}

function requestOf(a: AdmissionAttributes): object {
  const { name: username, uid, groups, extra } = a.user
  return {
    kind: a.requestKind,
    resource: a.requestResource,
    requestKind: a.requestKind,
    requestResource: a.requestResource,
    subResource: a.subresource,
    requestSubResource: a.subresource,
    name: a.name,
    namespace: a.namespace,
    operation: a.operation,
    userInfo: { username, groups, ...(uid ? { uid } : {}), ...(extra ? { extra } : {}) },
    dryRun: a.dryRun,
    options: a.options,
  }
}

async function answerTo(
  question: AuthorizationQuestion,
  a: AdmissionAttributes,
  deps: AdmissionDeps,
): Promise<AuthorizationAnswer> {
  const { serviceAccount, verb, path = "", group = "", resource = "", subresource = "" } = question
  const user = serviceAccount
    ? {
        name: `system:serviceaccount:${serviceAccount.namespace}:${serviceAccount.name}`,
        groups: [
          "system:serviceaccounts",
          `system:serviceaccounts:${serviceAccount.namespace}`,
          "system:authenticated",
        ],
      }
    : a.user
  const never = new AbortController().signal
  const { verdict, reason, error } = await deps.authorize(
    user,
    {
      verb,
      apiGroup: group,
      apiVersion: "*",
      resource,
      subresource,
      namespace: question.namespace ?? "",
      name: question.name ?? "",
      path,
      isResourceRequest: path === "",
    },
    { signal: a.signal ?? never },
  )
  return { allowed: verdict === "allow", reason, ...(error ? { error: error.message } : {}) }
}
