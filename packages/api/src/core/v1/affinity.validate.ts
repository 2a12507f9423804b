/** Validation of where pods may go. Mirrors: pkg/apis/core/validation/validation.go */
import {
  field,
  isQualifiedName,
  isValidLabelValue,
  nameIsDNSLabel,
  nameIsDNSSubdomain,
  validateLabelName,
  validateLabelSelector,
} from "@knarr/apimachinery"
import type { FieldError, LabelSelector } from "@knarr/apimachinery"
import { oneOfIfSet, positive, reasons } from "../../checks.ts"
import type {
  Affinity,
  NodeSelector,
  NodeSelectorTerm,
  PodAffinityTerm,
  PodAffinity,
  Toleration,
  TopologySpreadConstraint,
} from "./types.gen.ts"

function validateNodeSelectorTerm(path: string, term: NodeSelectorTerm, strict: boolean): FieldError[] {
  const out: FieldError[] = []
  for (const [i, { key, operator, values = [] }] of (term.matchExpressions ?? []).entries()) {
    const at = `${path}.matchExpressions[${i}]`
    if ((operator === "In" || operator === "NotIn") && values.length === 0)
      out.push(field.required(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"))
    else if ((operator === "Exists" || operator === "DoesNotExist") && values.length > 0)
      out.push(
        field.forbidden(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
      )
    else if ((operator === "Gt" || operator === "Lt") && values.length !== 1)
      out.push(
        field.required(`${at}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"),
      )
    else if (!["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"].includes(operator))
      out.push(field.invalid(`${at}.operator`, operator ?? "", "not a valid selector operator"))
    out.push(...validateLabelName(key, `${at}.key`))
    if (strict)
      values.forEach((value, j) =>
        out.push(...reasons(`${at}.values[${j}]`, value, isValidLabelValue(value))),
      )
  }
  for (const [i, { key, operator, values = [] }] of (term.matchFields ?? []).entries()) {
    const at = `${path}.matchFields[${i}]`
    if (operator === "In" || operator === "NotIn") {
      if (values.length !== 1)
        out.push(
          field.required(
            `${at}.values`,
            "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
          ),
        )
    } else out.push(field.invalid(`${at}.operator`, operator ?? "", "not a valid selector operator"))
    if (key === "metadata.name")
      values.forEach((value, j) =>
        out.push(...reasons(`${at}.values[${j}]`, value, nameIsDNSSubdomain(value, false))),
      )
    else out.push(field.invalid(`${at}.key`, key ?? "", "not a valid field selector key"))
  }
  return out
}

/** A choice of nodes that must hold. */
export function validateNodeSelector(path: string, selector: NodeSelector): FieldError[] {
  const terms = selector.nodeSelectorTerms ?? []
  if (terms.length === 0)
    return [field.required(`${path}.nodeSelectorTerms`, "must have at least one node selector term")]
  return terms.flatMap((term, i) => validateNodeSelectorTerm(`${path}.nodeSelectorTerms[${i}]`, term, true))
}

/** Keys that are taken from the pod's own labels. */
function validateMatchLabelKeys(
  path: string,
  matchKeys: readonly string[] | undefined,
  mismatchKeys: readonly string[] | undefined,
  selector: LabelSelector | undefined,
): FieldError[] {
  const out: FieldError[] = []
  for (const [name, keys] of [
    ["matchLabelKeys", matchKeys],
    ["mismatchLabelKeys", mismatchKeys],
  ] as const) {
    if (!keys?.length) continue
    if (!selector) {
      out.push(field.forbidden(`${path}.${name}`, "must not be specified when labelSelector is not set"))
      continue
    }
    keys.forEach((key, i) => out.push(...validateLabelName(key, `${path}.${name}[${i}]`)))
  }
  if (matchKeys?.length && selector) {
    const inSelector = new Map<string, number>()
    for (const key of Object.keys(selector.matchLabels ?? {})) inSelector.set(key, 1)
    for (const { key } of selector.matchExpressions ?? []) inSelector.set(key, (inSelector.get(key) ?? 0) + 1)
    // Merging the keys into the selector has left one entry for each; a second one is the user's.
    matchKeys.forEach((key, i) => {
      if ((inSelector.get(key) ?? 0) > 1)
        out.push(
          field.invalid(
            `${path}.matchLabelKeys[${i}]`,
            key,
            "exists in both matchLabelKeys and labelSelector",
          ),
        )
    })
  }
  const mismatched = new Set(mismatchKeys)
  matchKeys?.forEach((key, i) => {
    if (mismatched.has(key))
      out.push(
        field.invalid(
          `${path}.matchLabelKeys[${i}]`,
          key,
          "exists in both matchLabelKeys and mismatchLabelKeys",
        ),
      )
  })
  return out
}

function validatePodAffinityTerm(path: string, term: PodAffinityTerm): FieldError[] {
  const out = validateLabelSelector(term.labelSelector, `${path}.labelSelector`)
  out.push(...validateLabelSelector(term.namespaceSelector, `${path}.namespaceSelector`))
  for (const name of term.namespaces ?? [])
    out.push(...reasons(`${path}.namespace`, name, nameIsDNSLabel(name, false)))
  out.push(...validateMatchLabelKeys(path, term.matchLabelKeys, term.mismatchLabelKeys, term.labelSelector))
  if (!term.topologyKey) out.push(field.required(`${path}.topologyKey`, "can not be empty"))
  return [...out, ...validateLabelName(term.topologyKey ?? "", `${path}.topologyKey`)]
}

const required = "requiredDuringSchedulingIgnoredDuringExecution"
const preferred = "preferredDuringSchedulingIgnoredDuringExecution"

function weight(path: string, value: number): FieldError[] {
  return value < 1 || value > 100
    ? [field.invalid(`${path}.weight`, value, "must be in the range 1-100")]
    : []
}

function validatePodAffinity(path: string, affinity: PodAffinity): FieldError[] {
  const out: FieldError[] = []
  affinity[required]?.forEach((term, i) =>
    out.push(...validatePodAffinityTerm(`${path}.${required}[${i}]`, term)),
  )
  affinity[preferred]?.forEach((weighted, i) => {
    const at = `${path}.${preferred}[${i}]`
    out.push(
      ...weight(at, weighted.weight),
      ...validatePodAffinityTerm(`${at}.podAffinityTerm`, weighted.podAffinityTerm),
    )
  })
  return out
}

export function validateAffinity(path: string, affinity: Affinity | undefined): FieldError[] {
  const out: FieldError[] = []
  const { nodeAffinity, podAffinity, podAntiAffinity } = affinity ?? {}
  if (nodeAffinity) {
    const at = `${path}.nodeAffinity`
    if (nodeAffinity[required]) out.push(...validateNodeSelector(`${at}.${required}`, nodeAffinity[required]))
    nodeAffinity[preferred]?.forEach((term, i) => {
      const where = `${at}.${preferred}[${i}]`
      out.push(
        ...weight(where, term.weight),
        ...validateNodeSelectorTerm(`${where}.preference`, term.preference, false),
      )
    })
  }
  if (podAffinity) out.push(...validatePodAffinity(`${path}.podAffinity`, podAffinity))
  if (podAntiAffinity) out.push(...validatePodAffinity(`${path}.podAntiAffinity`, podAntiAffinity))
  return out
}

const taintEffects = ["NoSchedule", "PreferNoSchedule", "NoExecute"]

/** The effect of a taint or toleration. */
export function validateTaintEffect(
  path: string,
  effect: string | undefined,
  allowEmpty: boolean,
): FieldError[] {
  if (!effect) return allowEmpty ? [] : [field.required(path, "")]
  return taintEffects.includes(effect) ? [] : [field.notSupported(path, effect, taintEffects)]
}

export function validateTolerations(
  path: string,
  tolerations: readonly Toleration[] | undefined,
): FieldError[] {
  const out: FieldError[] = []
  for (const [i, { key, operator, effect, tolerationSeconds, value = "" }] of (tolerations ?? []).entries()) {
    const at = `${path}[${i}]`
    if (key) out.push(...validateLabelName(key, `${at}.key`))
    else if (operator !== "Exists")
      out.push(
        field.invalid(
          `${at}.operator`,
          operator ?? "",
          'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ),
      )
    if (tolerationSeconds !== undefined && effect !== "NoExecute")
      out.push(
        field.invalid(
          `${at}.effect`,
          effect ?? "",
          "effect must be 'NoExecute' when `tolerationSeconds` is set",
        ),
      )
    if (!operator || operator === "Equal") {
      const why = isValidLabelValue(value)
      if (why.length > 0) out.push(field.invalid(`${at}.operator`, value, why.join(";")))
    } else if (operator === "Exists") {
      if (value)
        out.push(field.invalid(`${at}.operator`, value, "value must be empty when `operator` is 'Exists'"))
    } else if (operator === "Lt" || operator === "Gt") {
      out.push(field.notSupported(`${at}.operator`, operator, ["Equal", "Exists", "Lt", "Gt"]))
    } else out.push(field.notSupported(`${at}.operator`, operator, ["Equal", "Exists"]))
    out.push(...validateTaintEffect(`${at}.effect`, effect, true))
  }
  return out
}

const actions = ["DoNotSchedule", "ScheduleAnyway"]

export function validateTopologySpread(
  path: string,
  constraints: readonly TopologySpreadConstraint[] | undefined,
): FieldError[] {
  const out: FieldError[] = []
  const all = constraints ?? []
  const keyOf = ({ topologyKey, whenUnsatisfiable }: TopologySpreadConstraint): string =>
    JSON.stringify([topologyKey, whenUnsatisfiable])
  const last = new Map(all.map((constraint, i) => [keyOf(constraint), i]))
  for (const [i, constraint] of all.entries()) {
    const at = `${path}[${i}]`
    const { topologyKey, whenUnsatisfiable, minDomains } = constraint
    out.push(...positive(`${at}.maxSkew`, constraint.maxSkew))
    if (!topologyKey) out.push(field.required(`${at}.topologyKey`, "can not be empty"))
    if (!actions.includes(whenUnsatisfiable))
      out.push(field.notSupported(`${at}.whenUnsatisfiable`, whenUnsatisfiable ?? "", actions))
    if (last.get(keyOf(constraint)) !== i)
      out.push(
        field.duplicate(`${at}.{topologyKey, whenUnsatisfiable}`, `{${topologyKey}, ${whenUnsatisfiable}}`),
      )
    if (minDomains !== undefined) {
      out.push(...positive(`${at}.minDomains`, minDomains))
      if (whenUnsatisfiable === "ScheduleAnyway")
        out.push(
          field.invalid(
            `${at}.minDomains`,
            minDomains,
            `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable}`,
          ),
        )
    }
    out.push(
      ...oneOfIfSet(`${at}.nodeAffinityPolicy`, constraint.nodeAffinityPolicy, ["Honor", "Ignore"]),
      ...oneOfIfSet(`${at}.nodeTaintsPolicy`, constraint.nodeTaintsPolicy, ["Honor", "Ignore"]),
      ...validateMatchLabelKeys(at, constraint.matchLabelKeys, undefined, constraint.labelSelector),
      ...validateLabelSelector(constraint.labelSelector, `${at}.labelSelector`),
    )
  }
  return out
}

/** Gates and readiness gates are named like labels; a gate is named once. */
export function validateGateNames(
  path: string,
  gates: readonly { readonly name?: string; readonly conditionType?: string }[] | undefined,
): FieldError[] {
  const out: FieldError[] = []
  const seen = new Set<string>()
  for (const [i, gate] of (gates ?? []).entries()) {
    if (gate.conditionType !== undefined) {
      out.push(
        ...reasons(`${path}[${i}].conditionType`, gate.conditionType, isQualifiedName(gate.conditionType)),
      )
      continue
    }
    const name = gate.name ?? ""
    out.push(...reasons(`${path}[${i}]`, name, isQualifiedName(name)))
    if (seen.has(name)) out.push(field.duplicate(`${path}[${i}]`, name))
    seen.add(name)
  }
  return out
}
