/**
 * Judges requests by ValidatingAdmissionPolicies.
 * Mirrors: apiserver pkg/admission/plugin/policy/validating/{plugin,dispatcher}.go
 */
import { preparePolicies, withPolicyManifests } from "./policy-manifests.ts"
import { validatingAdmissionPolicy, validatingAdmissionPolicyBinding } from "@knarr/api"
import { messageOf, whenReady } from "@knarr/base"
import type { AdmissionAttributes, AdmissionDeps, AdmissionPlugin } from "../../contract.ts"
import { Asking, requestOf, seenAs, type Seen } from "../expressions.ts"
import { MatchConditionMetrics, PolicyMetrics } from "../metrics.ts"
import { BoundPolicies, namespaceOf } from "./bound.ts"
import { compileValidating } from "./compiled-policy.ts"
import { validateInvocation } from "./validate-invocation.ts"
import { ValidatingOutcome, type ValidatingInvocation } from "./validating-outcome.ts"

export const validatingPolicies: AdmissionPlugin = {
  name: "ValidatingAdmissionPolicy",
  enabledByDefault: true,
  prepare: preparePolicies("ValidatingAdmissionPolicyConfiguration"),
  create(server, prepared) {
    const kinds = [validatingAdmissionPolicy, validatingAdmissionPolicyBinding] as const
    const deps = withPolicyManifests(server, prepared, ...kinds)
    const policies = new BoundPolicies(deps, ...kinds, compileValidating)
    const metrics = new PolicyMetrics(deps.env, "validating")
    const conditionMetrics = new MatchConditionMetrics(deps.env)
    const now = (): number => metrics.now()
    return {
      handles: (a) => policies.handles(a),
      validate(a) {
        const outcome = new ValidatingOutcome(a, metrics)
        const invocations = policies.invocations(a, (fault) => outcome.fault(fault))
        if (invocations.length === 0) return outcome.settle()
        const namespaceObject = namespaceOf(a, deps)
        const asking = new Asking(a, deps)
        const own = asking.variables()
        return whenReady(versions(invocations, a, outcome, deps), (seenBy) => {
          const judge = (invocation: ValidatingInvocation): ReturnType<typeof validateInvocation>[] => {
            const seen = seenBy.get(invocation.kind)
            if (!seen) return []
            const { object = null, oldObject = null } = seen
            const values = { object, oldObject, request: requestOf(a, seen), ...own }
            const ignoresFailures = invocation.policy.spec.failurePolicy === "Ignore"
            const context = {
              namespaceObject,
              operation: a.operation,
              ignoresFailures,
              conditionMetrics,
              now,
            }
            return invocation.params.map((param) => {
              const one = { ...values, params: param ?? null }
              return validateInvocation(invocation.compiled, { ...context, values: one })
            })
          }
          return whenReady(
            asking.settle(() => invocations.map(judge)),
            (verdicts) => {
              for (const [i, invocation] of invocations.entries())
                for (const verdict of verdicts[i]!) outcome.add(invocation, verdict)
              outcome.settle()
            },
          )
        })
      },
    }
  },
}

/** The request in each version that is asked for; one that it cannot be converted to is a fault of those who ask. */
function versions(
  invocations: readonly ValidatingInvocation[],
  a: AdmissionAttributes,
  outcome: ValidatingOutcome,
  deps: AdmissionDeps,
): ReadonlyMap<object, Seen> | Promise<ReadonlyMap<object, Seen>> {
  const found = new Map<object, Seen>()
  const other = invocations.filter(({ kind }) => kind !== a.kind)
  if (other.length < invocations.length) found.set(a.kind, seenAs(a.kind, a, deps) as Seen)
  if (other.length === 0) return found
  const convert = async (): Promise<ReadonlyMap<object, Seen>> => {
    for (const { kind, policy, binding } of other) {
      if (found.has(kind)) continue
      try {
        found.set(kind, await seenAs(kind, a, deps))
      } catch (thrown) {
        const error = new Error(`failed to convert object version: ${messageOf(thrown)}`)
        outcome.fault({ policy, binding, error })
      }
    }
    return found
  }
  return convert()
}
