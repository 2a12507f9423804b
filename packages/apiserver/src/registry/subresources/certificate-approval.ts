/** `approval` of a certificate signing request changes its conditions alone. Mirrors: pkg/registry/certificates */
import { deepClone, formatTime, type KubeObject } from "@knarr/apimachinery"
import type { CertificateSigningRequest } from "@knarr/api"
import { keepFields, mainStrategy, type UpdateStrategy } from "../update-strategies.ts"

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
  prepare(_kind, obj, old, { nowMs }) {
    const now = formatTime(nowMs)
    const known = new Map(
      ((old as unknown as Request).status?.conditions ?? []).map((condition) => [condition.type, condition]),
    )
    for (const condition of (obj as unknown as Request).status?.conditions ?? []) {
      const before = known.get(condition.type)
      condition.lastUpdateTime ??= now
      condition.lastTransitionTime ??=
        before?.status === condition.status ? (before.lastTransitionTime ?? now) : now
    }
  },
  validate: mainStrategy.validate,
}
