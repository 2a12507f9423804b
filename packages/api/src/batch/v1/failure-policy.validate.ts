/** Which failures of pods count, and how. Mirrors: pkg/apis/batch/validation/validation.go (validatePodFailurePolicy) */
import { field, goQuote } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { qualifiedName } from "../../checks.ts"
import type {
  JobSpec,
  PodFailurePolicyOnExitCodesRequirement,
  PodFailurePolicyOnPodConditionsPattern,
  PodFailurePolicyRule,
} from "./types.gen.ts"

const maxRules = 20
const maxExitCodes = 255
const maxPatterns = 20
const actions = ["Count", "FailIndex", "FailJob", "Ignore"]
const operators = ["In", "NotIn"]
const statuses = ["False", "True", "Unknown"]

/** `path` is that of the policy, which `spec` has. */
export function validateFailurePolicy(path: string, spec: JobSpec): FieldError[] {
  const rules = spec.podFailurePolicy?.rules ?? []
  const out: FieldError[] = []
  if (rules.length > maxRules) out.push(field.tooMany(`${path}.rules`, rules.length, maxRules))
  const { containers, initContainers = [] } = spec.template.spec
  const names = new Set([...(containers ?? []), ...initContainers].map(({ name }) => name))
  for (const [i, rule] of rules.entries()) out.push(...validateRule(`${path}.rules[${i}]`, rule, spec, names))
  return out
}

function validateRule(
  path: string,
  rule: PodFailurePolicyRule,
  spec: JobSpec,
  names: ReadonlySet<string>,
): FieldError[] {
  const { action, onExitCodes, onPodConditions = [] } = rule
  const out: FieldError[] = []
  if (action === "FailIndex") {
    if (spec.backoffLimitPerIndex === undefined)
      out.push(field.invalid(`${path}.action`, action, "requires the backoffLimitPerIndex to be set"))
  } else out.push(...choice(`${path}.action`, action, actions))
  if (onExitCodes) out.push(...validateExitCodes(`${path}.onExitCodes`, onExitCodes, names))
  if (onPodConditions.length > 0) out.push(...validateConditions(`${path}.onPodConditions`, onPodConditions))
  const both = onExitCodes !== undefined && onPodConditions.length > 0
  if (both || (!onExitCodes && onPodConditions.length === 0)) {
    const detail = both
      ? "specifying both OnExitCodes and OnPodConditions is not supported"
      : "specifying one of OnExitCodes and OnPodConditions is required"
    out.push(field.invalid(path, field.omitValue, detail))
  }
  return out
}

function choice(path: string, value: string | undefined, allowed: readonly string[]): FieldError[] {
  if (!value) return [field.required(path, `valid values: [${allowed.map(goQuote).join(" ")}]`)]
  return allowed.includes(value) ? [] : [field.notSupported(path, value, allowed)]
}

function validateConditions(
  path: string,
  patterns: readonly PodFailurePolicyOnPodConditionsPattern[],
): FieldError[] {
  const out: FieldError[] = []
  if (patterns.length > maxPatterns) out.push(field.tooMany(path, patterns.length, maxPatterns))
  for (const [i, { type, status }] of patterns.entries())
    out.push(
      ...qualifiedName(`${path}[${i}].type`, type),
      ...choice(`${path}[${i}].status`, status, statuses),
    )
  return out
}

function validateExitCodes(
  path: string,
  codes: PodFailurePolicyOnExitCodesRequirement,
  names: ReadonlySet<string>,
): FieldError[] {
  const { operator, containerName, values = [] } = codes
  const out = choice(`${path}.operator`, operator, operators)
  if (containerName !== undefined && !names.has(containerName))
    out.push(
      field.invalid(
        `${path}.containerName`,
        containerName,
        "must be one of the container or initContainer names in the pod template",
      ),
    )
  const at = `${path}.values`
  if (values.length === 0) out.push(field.invalid(at, codes.values ?? null, "at least one value is required"))
  else if (values.length > maxExitCodes) out.push(field.tooMany(at, values.length, maxExitCodes))
  const seen = new Set<number>()
  for (const [i, value] of values.entries()) {
    if (operator === "In" && value === 0)
      out.push(field.invalid(`${at}[${i}]`, value, "must not be 0 for the In operator"))
    if (seen.has(value)) out.push(field.duplicate(`${at}[${i}]`, value))
    seen.add(value)
  }
  if (values.some((value, i) => i > 0 && values[i - 1]! > value))
    out.push(field.invalid(at, values, "must be ordered"))
  return out
}
