/**
 * Validation of admission policies; their expressions are compiled.
 * Mirrors: pkg/apis/admissionregistration/validation/validation.go (Validate…AdmissionPolicy)
 */
import {
  field,
  isDNS1035Label,
  isDNS1123Subdomain,
  isQualifiedName,
  parseGroupVersion,
  semanticEqual,
} from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import {
  AdmissionCompiler,
  boolType,
  jsonPatchType,
  listOf,
  nullType,
  objectType,
  stringType,
  type CelType,
} from "@knarr/cel"
import { oneOf, oneOfDefaulted, oneOfIfSet, reasons } from "../../checks.ts"
import { validateConditions } from "../../conditions.validate.ts"
import { expressionErrors } from "./expression.validate.ts"
import { validateMatchConditions } from "./match-condition.validate.ts"
import { validateReservedName } from "./reserved-name.ts"
import { validateMatchResources, validateMutatingOperations } from "./rule.validate.ts"
import type {
  AuditAnnotation,
  ExpressionWarning,
  MutatingAdmissionPolicy,
  Mutation,
  ParamKind,
  ValidatingAdmissionPolicy,
  Validation,
  Variable,
} from "./types.gen.ts"

type Policy = ValidatingAdmissionPolicy | MutatingAdmissionPolicy

const maxAuditAnnotations = 20
/** Bytes. */
const maxValueExpressionLength = 5 * 1024
const policyReasons = ["Forbidden", "Invalid", "RequestEntityTooLarge"]

/** What both kinds have: when they apply, and to what; and variables. */
function validateScope(
  policy: Readonly<Policy>,
  old: Readonly<Policy> | undefined,
  compiler: AdmissionCompiler,
): FieldError[] {
  const { spec } = policy
  const out = oneOfDefaulted("spec.failurePolicy", spec.failurePolicy, ["Fail", "Ignore"])
  if (spec.paramKind) out.push(...validateParamKind("spec.paramKind", spec.paramKind))
  const match = spec.matchConstraints
  if (!match) out.push(field.required("spec.matchConstraints", ""))
  else {
    out.push(...validateMatchResources("spec.matchConstraints", match))
    if (!match.resourceRules?.length) out.push(field.required("spec.matchConstraints.resourceRules", ""))
    if ("mutations" in spec || policy.kind === "MutatingAdmissionPolicy")
      out.push(...validateMutatingOperations("spec.matchConstraints", match))
  }
  const unchanged =
    old !== undefined &&
    semanticEqual(spec.paramKind, old.spec.paramKind) &&
    semanticEqual(spec.matchConditions, old.spec.matchConditions)
  if (!unchanged)
    out.push(...validateMatchConditions("spec.matchConditions", spec.matchConditions, !!spec.paramKind))
  for (const [i, variable] of (spec.variables ?? []).entries())
    out.push(...validateVariable(`spec.variables[${i}]`, variable, compiler))
  return out
}

export function validateValidatingPolicy(
  policy: Readonly<ValidatingAdmissionPolicy>,
  old?: Readonly<ValidatingAdmissionPolicy>,
): FieldError[] {
  const { validations = [], auditAnnotations = [], paramKind, variables } = policy.spec
  const compiler = new AdmissionCompiler({ params: !!paramKind, composed: !!variables?.length })
  const out = validateScope(policy, old, compiler)
  if (validations.length === 0 && auditAnnotations.length === 0) {
    const detail = "validations or auditAnnotations must contain at least one item"
    out.push(field.required("spec.validations", detail), field.required("spec.auditAnnotations", detail))
  }
  for (const [i, validation] of validations.entries())
    out.push(...validateValidation(`spec.validations[${i}]`, validation, compiler))
  const policyName = policy.metadata.name ?? ""
  out.push(...validateAuditAnnotations("spec.auditAnnotations", policyName, auditAnnotations, compiler))
  return [...out, ...validateReservedName(policy, old)]
}

export function validateMutatingPolicy(
  policy: Readonly<MutatingAdmissionPolicy>,
  old?: Readonly<MutatingAdmissionPolicy>,
): FieldError[] {
  const { mutations = [], reinvocationPolicy, paramKind } = policy.spec
  const compiler = new AdmissionCompiler({ params: !!paramKind, composed: true })
  const out = validateScope(policy, old, compiler)
  if (mutations.length === 0)
    out.push(field.required("spec.mutations", "mutations must contain at least one item"))
  for (const [i, mutation] of mutations.entries())
    out.push(...validateMutation(`spec.mutations[${i}]`, mutation, compiler))
  out.push(...oneOf("spec.reinvocationPolicy", reinvocationPolicy, ["IfNeeded", "Never"]))
  return [...out, ...validateReservedName(policy, old)]
}

function validateParamKind(path: string, { apiVersion, kind }: ParamKind): FieldError[] {
  const out: FieldError[] = []
  const joined = (at: string, value: string, why: readonly string[], before = ""): void => {
    if (why.length > 0) out.push(field.invalid(at, value, before + why.join(",")))
  }
  const at = `${path}.apiVersion`
  const parsed = parseGroupVersion(apiVersion ?? "")
  if (!apiVersion) out.push(field.required(at, ""))
  else if (!parsed) out.push(field.invalid(at, apiVersion, `unexpected GroupVersion string: ${apiVersion}`))
  else {
    if (parsed.group) joined(at, parsed.group, isDNS1123Subdomain(parsed.group))
    if (!parsed.version) out.push(field.invalid(at, apiVersion, "version must be specified"))
    else joined(at, parsed.version, isDNS1035Label(parsed.version))
  }
  if (!kind) out.push(field.required(`${path}.kind`, ""))
  else
    joined(
      `${path}.kind`,
      kind,
      isDNS1035Label(kind.toLowerCase()),
      "may have mixed case, but should otherwise match: ",
    )
  return out
}

/** Words that no name in CEL may be. */
const reserved = new Set(
  "true false null in as break const continue else for function if import let loop package namespace return var void while".split(
    " ",
  ),
)

function validateVariable(
  path: string,
  { name, expression }: Variable,
  compiler: AdmissionCompiler,
): FieldError[] {
  const out: FieldError[] = []
  if (!name?.trim()) out.push(field.required(`${path}.name`, "name is not specified"))
  else if (!/^[_a-zA-Z][_a-zA-Z0-9]*$/.test(name) || reserved.has(name))
    out.push(field.invalid(`${path}.name`, name, "must be a valid CEL identifier"))
  if (!expression?.trim()) out.push(field.required(`${path}.expression`, "expression is not specified"))
  else out.push(...expressionErrors(`${path}.expression`, compiler.variable(name ?? "", expression)))
  return out
}

function validateValidation(path: string, validation: Validation, compiler: AdmissionCompiler): FieldError[] {
  const { expression, message = "", messageExpression = "", reason } = validation
  const out: FieldError[] = []
  const compile = (at: string, text: string, returns: CelType, authorizer: boolean): number =>
    out.push(...expressionErrors(at, compiler.compile(text, { returns: [returns], authorizer })))
  if (!expression?.trim()) out.push(field.required(`${path}.expression`, "expression is not specified"))
  else compile(`${path}.expression`, expression, boolType, true)
  if (messageExpression !== "" && !messageExpression.trim())
    out.push(field.invalid(`${path}.messageExpression`, messageExpression, "must be non-empty if specified"))
  else if (messageExpression !== "")
    compile(`${path}.messageExpression`, messageExpression, stringType, false)
  if (message !== "" && !message.trim())
    out.push(field.invalid(`${path}.message`, message, "must be non-empty if specified"))
  else if (/[\n\r]/.test(message.trim()))
    out.push(field.invalid(`${path}.message`, message, "must not contain line breaks"))
  return [...out, ...oneOfIfSet(`${path}.reason`, reason, policyReasons)]
}

function validateAuditAnnotations(
  path: string,
  policyName: string,
  annotations: readonly AuditAnnotation[],
  compiler: AdmissionCompiler,
): FieldError[] {
  const out: FieldError[] = []
  const keys = new Set<string>()
  if (annotations.length > maxAuditAnnotations)
    out.push(
      field.invalid(path, annotations, `must not have more than ${maxAuditAnnotations} auditAnnotations`),
    )
  for (const [i, { key = "", valueExpression }] of annotations.entries()) {
    const at = `${path}[${i}]`
    const name = `${policyName}/${key}`
    if (policyName) out.push(...reasons(`${at}.key`, name, isQualifiedName(name)))
    else out.push(field.invalid(`${at}.key`, key, "requires metadata.name be non-empty"))
    const value = valueExpression?.trim() ?? ""
    if (value === "") out.push(field.required(`${at}.valueExpression`, "valueExpression is not specified"))
    else if (value.length > maxValueExpressionLength)
      out.push(
        field.required(
          `${at}.valueExpression`,
          `must not exceed ${maxValueExpressionLength} bytes in length`,
        ),
      )
    else {
      const compiled = compiler.compile(value, { returns: [stringType, nullType] })
      out.push(...expressionErrors(`${at}.valueExpression`, compiled, valueExpression))
    }
    if (keys.has(key)) out.push(field.duplicate(`${at}.key`, key))
    keys.add(key)
  }
  return out
}

const patchFields = { ApplyConfiguration: "applyConfiguration", JSONPatch: "jsonPatch" } as const

const patchReturns = { ApplyConfiguration: objectType, JSONPatch: listOf(jsonPatchType) } as const

function validateMutation(path: string, mutation: Mutation, compiler: AdmissionCompiler): FieldError[] {
  const { patchType } = mutation
  const types = Object.keys(patchFields) as (keyof typeof patchFields)[]
  const type = types.find((one) => one === patchType)
  if (!type) return oneOf(`${path}.patchType`, patchType, types)
  const out: FieldError[] = []
  const own = patchFields[type]
  const other = own === "jsonPatch" ? "applyConfiguration" : "jsonPatch"
  if (!mutation[own])
    out.push(field.required(`${path}.${own}`, `must be specified when patchType is ${type}`))
  else {
    const at = `${path}.${own}.expression`
    const text = mutation[own].expression?.trim() ?? ""
    if (text === "") out.push(field.required(at, ""))
    else {
      const compiled = compiler.compile(text, { returns: [patchReturns[type]], mutates: true })
      out.push(...expressionErrors(at, compiled))
    }
  }
  if (mutation[other])
    out.push(
      field.invalid(`${path}.${other}`, `{${other}}`, `must not be specified when patchType is ${type}`),
    )
  return out
}

export function validateValidatingPolicyStatus({
  status,
}: Readonly<ValidatingAdmissionPolicy>): FieldError[] {
  const out: FieldError[] = []
  for (const [i, warning] of (status?.typeChecking?.expressionWarnings ?? []).entries())
    out.push(...validateExpressionWarning(`status.typeChecking.expressionWarnings[${i}]`, warning))
  return [...out, ...validateConditions("status.conditions", status?.conditions)]
}

function validateExpressionWarning(path: string, { warning, fieldRef }: ExpressionWarning): FieldError[] {
  return [
    ...(warning ? [] : [field.required(`${path}.warning`, "")]),
    ...(fieldRef?.trim() ? [] : [field.required(`${path}.fieldRef`, "")]),
  ]
}
