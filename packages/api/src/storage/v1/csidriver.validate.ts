/** Validation of CSI drivers. Mirrors: pkg/apis/storage/validation/validation.go (ValidateCSIDriver) */
import { field } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { immutable, oneOfIfSet, required } from "../../checks.ts"
import type { CSIDriver, TokenRequest } from "./types.gen.ts"

const minUpdatePeriodSeconds = 10
const minExpirationSeconds = 600
const maxExpirationSeconds = 2 ** 32
const policies = ["File", "None", "ReadWriteOnceWithFSType"]
const modes = ["Persistent", "Ephemeral"]

export function validateCSIDriver({ spec }: Readonly<CSIDriver>): FieldError[] {
  const out = [
    ...required("spec.attachedRequired", spec.attachRequired),
    ...required("spec.podInfoOnMount", spec.podInfoOnMount),
    ...required("spec.storageCapacity", spec.storageCapacity),
    ...oneOfIfSet("spec.fsGroupPolicy", spec.fsGroupPolicy, policies),
    ...validateTokenRequests("spec.tokenRequests", spec.tokenRequests),
  ]
  for (const mode of spec.volumeLifecycleModes ?? [])
    if (!modes.includes(mode)) out.push(field.notSupported("spec.volumeLifecycleModes", mode, modes))
  out.push(...required("spec.seLinuxMount", spec.seLinuxMount))
  const period = spec.nodeAllocatableUpdatePeriodSeconds
  if (period !== undefined && period < minUpdatePeriodSeconds)
    out.push(
      field.invalid(
        "spec.nodeAllocatableUpdatePeriodSeconds",
        period,
        `must be greater than or equal to ${minUpdatePeriodSeconds} seconds`,
      ),
    )
  const inSecrets = spec.serviceAccountTokenInSecrets
  if (inSecrets !== undefined && !spec.tokenRequests?.length)
    out.push(
      field.invalid(
        "spec.serviceAccountTokenInSecrets",
        inSecrets,
        "serviceAccountTokenInSecrets is set but no tokenRequests are specified",
      ),
    )
  return [...out, ...required("spec.preventPodSchedulingIfMissing", spec.preventPodSchedulingIfMissing)]
}

function validateTokenRequests(path: string, requests: readonly TokenRequest[] | undefined): FieldError[] {
  const out: FieldError[] = []
  const seen = new Set<string>()
  for (const [i, { audience = "", expirationSeconds }] of (requests ?? []).entries()) {
    if (seen.has(audience)) {
      out.push(field.duplicate(`${path}[${i}].audience`, audience))
      continue
    }
    seen.add(audience)
    const at = `${path}[${i}].expirationSeconds`
    if (expirationSeconds === undefined) continue
    if (expirationSeconds < minExpirationSeconds)
      out.push(field.invalid(at, expirationSeconds, "may not specify a duration less than 10 minutes"))
    if (expirationSeconds > maxExpirationSeconds)
      out.push(field.invalid(at, expirationSeconds, "may not specify a duration larger than 2^32 seconds"))
  }
  return out
}

export function validateCSIDriverUpdate(driver: Readonly<CSIDriver>, old: Readonly<CSIDriver>): FieldError[] {
  return [
    ...immutable("spec.attachedRequired", driver.spec.attachRequired, old.spec.attachRequired),
    ...immutable(
      "spec.volumeLifecycleModes",
      driver.spec.volumeLifecycleModes,
      old.spec.volumeLifecycleModes,
    ),
  ]
}

/** Tells of tokens that end in a place where they may be logged. */
export function csiDriverWarnings({ spec }: Readonly<CSIDriver>, old?: Readonly<CSIDriver>): string[] {
  if (!spec.tokenRequests?.length || spec.serviceAccountTokenInSecrets !== undefined) return []
  if (old && immutable("", spec.tokenRequests, old.spec.tokenRequests).length === 0) return []
  return [
    "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes",
  ]
}
