/**
 * Validation of webhooks of admission. What an update has had wrong already may stay.
 * Mirrors: pkg/apis/admissionregistration/validation/validation.go (Validate…WebhookConfiguration)
 */
import {
  field,
  isDNS1035Label,
  isFullyQualifiedName,
  semanticEqual,
  validateLabelSelector,
} from "@knarr/apimachinery"
import type { FieldError, KubeObject } from "@knarr/apimachinery"
import { oneOfIfSet, reasons, repeated } from "../../checks.ts"
import { validateClientConfig } from "../../webhook-client.validate.ts"
import { validateMatchConditions } from "./match-condition.validate.ts"
import { reservedNameWarnings, validateReservedName } from "./reserved-name.ts"
import { matchPolicies, validateRule } from "./rule.validate.ts"
import type { MutatingWebhook, ValidatingWebhook } from "./types.gen.ts"

type Webhook = ValidatingWebhook | MutatingWebhook

interface Configuration extends KubeObject {
  readonly webhooks?: readonly Webhook[] | undefined
}

const reviewVersions = ["v1", "v1beta1"]
const sideEffects = ["None", "NoneOnDryRun"]
const anySideEffects = ["None", "NoneOnDryRun", "Some", "Unknown"]
const maxTimeoutSeconds = 30

interface Demands {
  readonly conditions: boolean
  readonly noSideEffects: boolean
  readonly knownVersion: boolean
  readonly uniqueNames: boolean
  readonly selectorValues: boolean
}

/** What is demanded: all of it of a new configuration, and of an update what its predecessor did right. */
function demandsOf(now: readonly Webhook[], before: readonly Webhook[] | undefined): Demands {
  if (!before)
    return {
      conditions: true,
      noSideEffects: true,
      knownVersion: true,
      uniqueNames: true,
      selectorValues: true,
    }
  const conditions = (hooks: readonly Webhook[]): unknown =>
    hooks.map(({ matchConditions }) => matchConditions ?? null)
  return {
    conditions: !semanticEqual(conditions(now), conditions(before)),
    noSideEffects: before.every((hook) => sideEffects.includes(hook.sideEffects ?? "")),
    knownVersion: before.every(
      ({ admissionReviewVersions: versions = [] }) =>
        versions.length === 0 || versions.some((version) => reviewVersions.includes(version)),
    ),
    uniqueNames: new Set(before.map(({ name }) => name)).size === before.length,
    selectorValues: before.every(
      ({ namespaceSelector, objectSelector }) =>
        validateLabelSelector(namespaceSelector, "").length +
          validateLabelSelector(objectSelector, "").length ===
        0,
    ),
  }
}

export function validateWebhooks(
  configuration: Readonly<Configuration>,
  old?: Readonly<Configuration>,
): FieldError[] {
  const hooks = configuration.webhooks ?? []
  const demands = demandsOf(hooks, old && (old.webhooks ?? []))
  const out: FieldError[] = []
  const names = new Set<string>()
  for (const [i, hook] of hooks.entries()) {
    const at = `webhooks[${i}]`
    out.push(
      ...validateWebhook(at, hook, demands),
      ...validateVersions(`${at}.admissionReviewVersions`, hook.admissionReviewVersions ?? [], demands),
    )
    if (!demands.uniqueNames || !hook.name) continue
    if (names.has(hook.name)) out.push(field.duplicate(`${at}.name`, hook.name))
    names.add(hook.name)
  }
  return [...out, ...validateReservedName(configuration, old)]
}

function validateWebhook(path: string, hook: Webhook, demands: Demands): FieldError[] {
  const out = isFullyQualifiedName(`${path}.name`, hook.name ?? "")
  for (const [i, rule] of (hook.rules ?? []).entries()) out.push(...validateRule(`${path}.rules[${i}]`, rule))
  out.push(
    ...oneOfIfSet(`${path}.failurePolicy`, hook.failurePolicy, ["Fail", "Ignore"]),
    ...oneOfIfSet(`${path}.matchPolicy`, hook.matchPolicy, matchPolicies),
  )
  const allowed = demands.noSideEffects ? sideEffects : anySideEffects
  if (hook.sideEffects === undefined)
    out.push(field.required(`${path}.sideEffects`, `must specify one of ${allowed.join(", ")}`))
  out.push(...oneOfIfSet(`${path}.sideEffects`, hook.sideEffects, allowed))
  const timeout = hook.timeoutSeconds
  if (timeout !== undefined && (timeout > maxTimeoutSeconds || timeout < 1))
    out.push(
      field.invalid(
        `${path}.timeoutSeconds`,
        timeout,
        `the timeout value must be between 1 and ${maxTimeoutSeconds} seconds`,
      ),
    )
  for (const name of ["namespaceSelector", "objectSelector"] as const)
    out.push(
      ...validateLabelSelector(hook[name], `${path}.${name}`, {
        allowInvalidLabelValueInSelector: !demands.selectorValues,
      }),
    )
  if ("reinvocationPolicy" in hook)
    out.push(...oneOfIfSet(`${path}.reinvocationPolicy`, hook.reinvocationPolicy, ["IfNeeded", "Never"]))
  out.push(...validateClientConfig(`${path}.clientConfig`, hook.clientConfig))
  if (demands.conditions)
    out.push(...validateMatchConditions(`${path}.matchConditions`, hook.matchConditions))
  return out
}

function validateVersions(
  path: string,
  versions: readonly string[],
  { knownVersion }: Demands,
): FieldError[] {
  const known = reviewVersions.join(", ")
  if (versions.length === 0) return [field.required(path, `must specify one of ${known}`)]
  const out: FieldError[] = []
  const again = repeated(versions)
  for (const [i, version] of versions.entries())
    if (again.has(i)) out.push(field.invalid(`${path}[${i}]`, version, "duplicate version"))
    else out.push(...reasons(`${path}[${i}]`, version, isDNS1035Label(version)))
  if (knownVersion && !versions.some((version) => reviewVersions.includes(version)))
    out.push(field.invalid(path, versions, `must include at least one of ${known}`))
  return out
}

/** Resources that no webhook is ever asked about. */
const excluded = new Set([
  "serviceaccounts/token",
  "selfsubjectreviews.authentication.k8s.io",
  "tokenreviews.authentication.k8s.io",
  "localsubjectaccessreviews.authorization.k8s.io",
  "selfsubjectaccessreviews.authorization.k8s.io",
  "selfsubjectrulesreviews.authorization.k8s.io",
  "subjectaccessreviews.authorization.k8s.io",
])

export function webhookWarnings(
  configuration: Readonly<Configuration>,
  old?: Readonly<Configuration>,
): string[] {
  const out = reservedNameWarnings(configuration, old)
  for (const [i, { rules }] of (configuration.webhooks ?? []).entries())
    for (const [j, { apiGroups = [], resources = [] }] of (rules ?? []).entries()) {
      if (apiGroups.includes("*") || resources.includes("*")) continue
      const named = apiGroups.flatMap((group) =>
        resources.map((resource) => (group ? `${resource}.${group}` : resource)),
      )
      for (const name of new Set(named))
        if (excluded.has(name))
          out.push(
            `webhooks[${i}].rules[${j}]: ${name} is excluded from admission webhooks; this rule will have no effect`,
          )
    }
  return out
}
