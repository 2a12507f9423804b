/** Tells in a policy's status which of its expressions do not fit the types of what it judges. Mirrors: pkg/controller/validatingadmissionpolicystatus */
import { customResourceDefinition, kinds, validatingAdmissionPolicy } from "@knarr/api"
import type { ValidatingAdmissionPolicy } from "@knarr/api"
import { allow, defineController, type Controller } from "@knarr/controller-kit"
import { checkTypes, namesUnknown } from "./type-check.ts"

const name = "validatingadmissionpolicy-status-controller"
/** A definition that was made right before its policy is waited for. */
const patienceMs = 3000
const againMs = 250

export const validatingAdmissionPolicyStatusController: Controller =
  defineController<ValidatingAdmissionPolicy>({
    name,
    queueName: "validatingadmissionpolicy-status",
    serviceAccount: name,
    rbac: [
      allow("admissionregistration.k8s.io", "validatingadmissionpolicies", "get list watch"),
      allow("admissionregistration.k8s.io", "validatingadmissionpolicies/status", "get patch update"),
    ],
    for: validatingAdmissionPolicy,
    reads: [customResourceDefinition],
    async reconcile(ref, { cache, client, clock, signal }) {
      const policy = cache.get(validatingAdmissionPolicy, { name: ref.name })
      if (!policy) return undefined
      const { generation = 0, creationTimestamp } = policy.metadata
      if (generation <= (policy.status?.observedGeneration ?? 0)) return undefined
      const sources = { kinds, definitions: cache.list(customResourceDefinition) }
      if (namesUnknown(policy, sources) && clock.now() - Date.parse(creationTimestamp) < patienceMs)
        return { afterMs: againMs }
      const expressionWarnings = checkTypes(policy, sources)
      const { apiVersion, kind } = validatingAdmissionPolicy
      const status = {
        observedGeneration: generation,
        typeChecking: expressionWarnings.length > 0 ? { expressionWarnings } : {},
      }
      const body = { apiVersion, kind, metadata: { name: ref.name }, status }
      const options = {
        subresource: "status",
        force: true,
        fieldManager: "validatingadmissionpolicy-status",
        signal,
      } as const
      await client.patch(validatingAdmissionPolicy, { name: ref.name }, "apply", body, options)
      return undefined
    },
  })
