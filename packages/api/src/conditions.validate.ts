/** Conditions as most kinds report them (meta/v1). Mirrors: apimachinery pkg/apis/meta/v1/validation (ValidateConditions) */
import { byteLength, field, isValidConditionReason } from "@knarr/apimachinery"
import type { Condition, FieldError } from "@knarr/apimachinery"
import { qualifiedName, reasons } from "./checks.ts"

const statuses = ["False", "True", "Unknown"]
/** Bytes. */
const maxReasonLength = 1024
const maxMessageLength = 32 * 1024

/** Checks each condition, and that there is one of a type. */
export function validateConditions(path: string, conditions: readonly Condition[] | undefined): FieldError[] {
  const out: FieldError[] = []
  const seen = new Set<string>()
  for (const [i, condition] of (conditions ?? []).entries()) {
    const at = `${path}[${i}]`
    if (seen.has(condition.type)) out.push(field.duplicate(at, condition.type))
    seen.add(condition.type)
    out.push(...validateCondition(at, condition))
  }
  return out
}

/** Checks one condition. */
function validateCondition(path: string, condition: Condition): FieldError[] {
  const { type, status, observedGeneration, lastTransitionTime, reason, message = "" } = condition
  const out = type ? qualifiedName(`${path}.type`, type) : [field.required(`${path}.type`, "is required")]
  if (!status) out.push(field.required(`${path}.status`, ""))
  else if (!statuses.includes(status)) out.push(field.notSupported(`${path}.status`, status, statuses))
  if ((observedGeneration ?? 0) < 0)
    out.push(
      field.invalid(
        `${path}.observedGeneration`,
        observedGeneration,
        "must be greater than or equal to zero",
      ),
    )
  if (!lastTransitionTime) out.push(field.required(`${path}.lastTransitionTime`, ""))
  if (!reason) out.push(field.required(`${path}.reason`, ""))
  else {
    out.push(...reasons(`${path}.reason`, reason, isValidConditionReason(reason)))
    if (byteLength(reason) > maxReasonLength) out.push(field.tooLong(`${path}.reason`, "", maxReasonLength))
  }
  if (byteLength(message) > maxMessageLength) out.push(field.tooLong(`${path}.message`, "", maxMessageLength))
  return out
}
