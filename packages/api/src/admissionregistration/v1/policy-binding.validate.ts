/**
 * Validation of what binds policies to parameters. Mirrors:
 * pkg/apis/admissionregistration/validation/validation.go (Validate…AdmissionPolicyBinding)
 */
import { field, isPathSegmentName, nameIsDNSSubdomain, validateLabelSelector } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { oneOf, reasons, repeated } from "../../checks.ts"
import { validateReservedName } from "./reserved-name.ts"
import { validateMatchResources, validateMutatingOperations } from "./rule.validate.ts"
import type {
  MutatingAdmissionPolicyBinding,
  ParamRef,
  ValidatingAdmissionPolicyBinding,
} from "./types.gen.ts"

const actions = ["Audit", "Deny", "Warn"]

export function validateValidatingBinding(
  binding: Readonly<ValidatingAdmissionPolicyBinding>,
  old?: Readonly<ValidatingAdmissionPolicyBinding>,
): FieldError[] {
  const { policyName, paramRef, matchResources, validationActions } = binding.spec
  const out: FieldError[] = []
  if (policyName) out.push(...reasons("spec.policyName", policyName, nameIsDNSSubdomain(policyName, false)))
  out.push(
    ...validateParamRef("spec.paramRef", paramRef),
    ...validateMatchResources("spec.matchResources", matchResources),
    ...validateActions("spec.validationActions", validationActions ?? []),
    ...validateReservedName(binding, old),
  )
  if (!policyName) out.push(field.required("spec.policyName", ""))
  if (!validationActions?.length) out.push(field.required("spec.validationActions", ""))
  return out
}

export function validateMutatingBinding(
  binding: Readonly<MutatingAdmissionPolicyBinding>,
  old?: Readonly<MutatingAdmissionPolicyBinding>,
): FieldError[] {
  const { policyName, paramRef, matchResources } = binding.spec
  return [
    ...(policyName
      ? reasons("spec.policyName", policyName, nameIsDNSSubdomain(policyName, false))
      : [field.required("spec.policyName", "")]),
    ...validateParamRef("spec.paramRef", paramRef),
    ...validateMatchResources("spec.matchResources", matchResources),
    ...validateMutatingOperations("spec.matchResources", matchResources),
    ...validateReservedName(binding, old),
  ]
}

function validateParamRef(path: string, ref: ParamRef | undefined): FieldError[] {
  if (!ref) return []
  const { name, selector, parameterNotFoundAction } = ref
  const out: FieldError[] = []
  const exclusive = "name and selector are mutually exclusive"
  if (name) out.push(...reasons(`${path}.name`, name, isPathSegmentName(name)))
  if (name && selector) out.push(field.forbidden(`${path}.name`, exclusive))
  out.push(...validateLabelSelector(selector, `${path}.selector`))
  if (name && selector) out.push(field.forbidden(`${path}.selector`, exclusive))
  if (!name && !selector) out.push(field.required(path, "one of name or selector must be specified"))
  return [...out, ...oneOf(`${path}.parameterNotFoundAction`, parameterNotFoundAction, ["Deny", "Allow"])]
}

function validateActions(path: string, chosen: readonly string[]): FieldError[] {
  const out: FieldError[] = []
  const again = repeated(chosen)
  for (const [i, action] of chosen.entries()) {
    if (!actions.includes(action)) out.push(field.notSupported(`${path}[${i}]`, action, actions))
    if (again.has(i)) out.push(field.duplicate(`${path}[${i}]`, action))
  }
  if (chosen.includes("Deny") && chosen.includes("Warn"))
    out.push(
      field.invalid(
        path,
        chosen,
        "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)",
      ),
    )
  return out
}
