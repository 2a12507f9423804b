/** `approval` of a certificate signing request changes its conditions alone. Mirrors: pkg/registry/certificates */
import { deepClone, type KubeObject } from "@knarr/apimachinery"
import { setConditionTimes, validateRequestApproval, type CertificateSigningRequest } from "@knarr/api"
import { keepFields, type UpdateStrategy } from "../update-strategies.ts"

type Request = CertificateSigningRequest
type Conditions = NonNullable<NonNullable<Request["status"]>["conditions"]>

export const approvalStrategy: UpdateStrategy = {
  keep(_kind, obj, old) {
    const request = obj as unknown as Request
    const before = old as unknown as Readonly<Request>
    keepFields(obj, old, ["spec"])
    const conditions = deepClone(request.status?.conditions ?? []) as Conditions
    const status = deepClone(before.status ?? {}) as Record<string, unknown>
    if (conditions.length > 0) status.conditions = conditions
    else delete status.conditions
    ;(obj as KubeObject & { status: unknown }).status = status
  },
  prepare: (_kind, obj, old, ctx) =>
    setConditionTimes(obj as unknown as Request, old as unknown as Request, ctx),
  validate: (_kind, obj, old) =>
    validateRequestApproval(obj as unknown as Request, old as unknown as Request),
}
