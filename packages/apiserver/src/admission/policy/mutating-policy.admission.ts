/**
 * Changes objects as MutatingAdmissionPolicies say.
 * Mirrors: apiserver pkg/admission/plugin/policy/mutating/{plugin,dispatcher}.go
 */
import { preparePolicies, withPolicyManifests } from "./policy-manifests.ts"
import { mutatingAdmissionPolicy, mutatingAdmissionPolicyBinding } from "@knarr/api"
import { inTurn, whenReady } from "@knarr/base"
import type { AdmissionHooks, AdmissionPlugin } from "../../contract.ts"
import { MatchConditionMetrics, PolicyMetrics } from "../metrics.ts"
import { Reinvocations } from "../reinvocations.ts"
import { BoundPolicies } from "./bound.ts"
import { compileMutating } from "./compiled-policy.ts"
import { MutatingRun } from "./mutating-run.ts"

export const mutatingPolicies: AdmissionPlugin = {
  name: "MutatingAdmissionPolicy",
  enabledByDefault: true,
  prepare: preparePolicies("MutatingAdmissionPolicyConfiguration"),
  create(server, prepared) {
    const kinds = [mutatingAdmissionPolicy, mutatingAdmissionPolicyBinding] as const
    const deps = withPolicyManifests(server, prepared, ...kinds)
    const policies = new BoundPolicies(deps, ...kinds, compileMutating)
    const metrics = new PolicyMetrics(deps.env, "mutating")
    const conditionMetrics = new MatchConditionMetrics(deps.env)
    const hooks: AdmissionHooks = {
      // What is deleted cannot be changed.
      handles: (a) => a.operation !== "DELETE" && policies.handles(a),
      admit(a) {
        const reinvocations = Reinvocations.begin(a, hooks)
        const run = new MutatingRun(a, { deps, reinvocations, metrics, conditionMetrics })
        const invocations = policies.invocations(a, (fault) => run.fault(fault))
        const each = invocations.flatMap((invocation) =>
          invocation.params.map((param) => ({ invocation, param })),
        )
        return whenReady(
          inTurn(each, ({ invocation, param }) => run.invoke(invocation, param)),
          () => run.end(),
        )
      },
    }
    return hooks
  },
}
