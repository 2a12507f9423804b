/** `approval` of a certificate signing request changes its conditions alone. Mirrors: pkg/registry/certificates */
import { deepClone } from "@knarr/apimachinery"
import { setConditionTimes, validateRequestApproval, type CertificateSigningRequest } from "@knarr/api"
import { keepFields, type UpdateStrategy } from "../update-strategies.ts"
import { partOfObject } from "../verbs/stored.ts"

const strategy: UpdateStrategy<CertificateSigningRequest> = {
  keep(_kind, obj, old) {
    keepFields(obj, old, ["spec"])
    const conditions = deepClone(obj.status?.conditions ?? [])
    obj.status = deepClone(old.status ?? {})
    if (conditions.length > 0) obj.status.conditions = conditions
    else delete obj.status.conditions
  },
  prepare: (_kind, obj, old, ctx) => setConditionTimes(obj, old, ctx),
  validate: (_kind, obj, old) => validateRequestApproval(obj, old),
}

export const approval = partOfObject({
  resource: "certificatesigningrequests.certificates.k8s.io",
  name: "approval",
  strategy,
})
