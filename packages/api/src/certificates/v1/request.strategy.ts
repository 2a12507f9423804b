/** What becomes of a certificate signing request on its way in. Mirrors: pkg/registry/certificates/certificates/strategy.go */
import { deepClone, formatTime } from "@knarr/apimachinery"
import type { StrategyContext } from "@knarr/apimachinery"
import type { CertificateSigningRequest, CertificateSigningRequestCondition } from "./types.gen.ts"

type Request = CertificateSigningRequest

/** Who asks is who sends the request, whatever it says itself. */
export function prepareRequestForCreate({ spec, ...rest }: Request, { user }: StrategyContext): void {
  delete spec.uid
  delete spec.extra
  spec.username = user.name
  spec.groups = [...user.groups]
  if (user.uid) spec.uid = user.uid
  const extra = Object.entries(user.extra ?? {})
  if (extra.length > 0) spec.extra = Object.fromEntries(extra.map(([key, values]) => [key, [...values]]))
  delete rest.status.certificate
  delete rest.status.conditions
}

/** A request is never changed but through its subresources. */
export function prepareRequestForUpdate(request: Request, old: Readonly<Request>): void {
  request.spec = deepClone(old.spec)
}

/** `status` keeps what was approved or denied. */
export function prepareRequestForStatusUpdate(
  request: Request,
  old: Readonly<Request>,
  ctx: StrategyContext,
): void {
  for (const type of ["Approved", "Denied"]) {
    const before = (old.status.conditions ?? []).filter((condition) => condition.type === type)
    const after = request.status.conditions ?? []
    const places = after.flatMap((condition, at) => (condition.type === type ? [at] : []))
    // Others than before are refused by validation.
    if (places.length !== before.length) continue
    places.forEach((at, i) => (after[at] = deepClone(before[i]!) as CertificateSigningRequestCondition))
  }
  setConditionTimes(request, old, ctx)
}

/** Fills in the times of conditions that came without. */
export function setConditionTimes(
  request: Request,
  old: Readonly<Request>,
  { nowMs }: StrategyContext,
): void {
  const now = formatTime(nowMs)
  for (const condition of request.status.conditions ?? []) {
    condition.lastUpdateTime ??= now
    condition.lastTransitionTime ??=
      old.status.conditions?.find(
        (before) =>
          before.type === condition.type && before.status === condition.status && before.lastTransitionTime,
      )?.lastTransitionTime ?? now
  }
}
