/** Validation of nodes and namespaces. Mirrors: pkg/apis/core/validation/validation.go */
import {
  byteLength,
  field,
  goQuote,
  isQualifiedName,
  isValidLabelValue,
  validateLabelName,
  validateLegacyCIDR,
} from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { reasons } from "../../checks.ts"
import { goValue } from "../../go-value.ts"
import { validateTaintEffect } from "./affinity.validate.ts"
import { validateResourceQuantity } from "./resources.validate.ts"
import type { Namespace, Node, Taint } from "./types.gen.ts"

function validateTaints(path: string, taints: readonly Taint[] | undefined): FieldError[] {
  const out: FieldError[] = []
  const seen = new Set<string>()
  for (const [i, taint] of (taints ?? []).entries()) {
    const at = `${path}[${i}]`
    out.push(...validateLabelName(taint.key, `${at}.key`))
    const why = isValidLabelValue(taint.value ?? "")
    if (why.length > 0) out.push(field.invalid(`${at}.value`, taint.value, why.join(";")))
    out.push(...validateTaintEffect(`${at}.effect`, taint.effect, false))
    const key = `${taint.effect}\0${taint.key}`
    if (seen.has(key))
      out.push({
        ...field.duplicate(at, goValue("core.Taint", taint)),
        detail: "taints must be unique by key and effect pair",
      })
    seen.add(key)
  }
  return out
}

export function validateNode({ spec, status }: Readonly<Node>): FieldError[] {
  const out = validateTaints("metadata.taints", spec.taints)
  for (const list of ["capacity", "allocatable"] as const)
    for (const name of Object.keys(status[list] ?? {}).sort())
      out.push(...validateResourceQuantity(`status.${list}.${name}`, name, status[list]![name]!))
  out.push(...validateFeatures("status.declaredFeatures", status.declaredFeatures ?? []))
  const cidrs = spec.podCIDRs ?? []
  cidrs.forEach((cidr, i) => out.push(...validateLegacyCIDR(`spec.podCIDRs[${i}]`, cidr, true)))
  const bad = cidrs.findIndex((cidr) => validateLegacyCIDR("", cidr, true).length > 0)
  if (cidrs.length > 1 && bad >= 0) {
    const why = `invalid CIDR[${bad}]: <nil> (invalid CIDR address: ${cidrs[bad]})`
    out.push(
      field.internalError(
        "spec.podCIDRs",
        new Error(`invalid PodCIDRs. failed to check with dual stack with error:${why}`),
      ),
    )
  }
  if (
    cidrs.length > 1 &&
    (bad >= 0 || cidrs.length > 2 || new Set(cidrs.map((cidr) => cidr.includes(":"))).size < 2)
  )
    out.push(field.invalid("spec.podCIDRs", cidrs, "may specify no more than one CIDR for each IP family"))
  return out
}

const featurePattern = /^[A-Z][a-zA-Z0-9]*(?:\/[a-zA-Z][a-zA-Z0-9]*)*$/
const maxFeatureLength = 253

/** Features that a node declares: names in order, each once. */
function validateFeatures(path: string, features: readonly string[]): FieldError[] {
  const out: FieldError[] = []
  for (const [i, name] of features.entries()) {
    const before = features[i - 1]
    if (before === name) out.push(field.duplicate(`${path}[${i}]`, name))
    else if (before !== undefined && before > name)
      out.push(field.invalid(`${path}[${i}]`, name, "list must be sorted alphabetically"))
    const invalid = (why: string): number =>
      out.push(field.invalid(`${path}[${i}]`, name, `invalid feature name ${goQuote(name)}: ${why}`))
    if (byteLength(name) > maxFeatureLength) invalid(`must be no more than ${maxFeatureLength} characters`)
    else if (!featurePattern.test(name))
      invalid(
        "must start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes",
      )
  }
  return out
}

export function validateNodeUpdate(node: Readonly<Node>, old: Readonly<Node>): FieldError[] {
  const out: FieldError[] = []
  const seen = new Set<string>()
  node.status.addresses?.forEach((address, i) => {
    const key = `${address.type}\0${address.address}`
    if (seen.has(key)) out.push(field.duplicate(`status.addresses[${i}]`, address))
    seen.add(key)
  })
  const before = old.spec.podCIDRs ?? []
  const now = node.spec.podCIDRs ?? []
  if (before.length > 0 && (before.length !== now.length || before.some((cidr, i) => cidr !== now[i])))
    out.push(field.forbidden("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid'))
  if (old.spec.providerID && node.spec.providerID !== old.spec.providerID) {
    const detail = node.spec.providerID
      ? "field cannot be modified once set"
      : "field cannot be cleared once set"
    out.push(field.invalid("spec.providerID", null, detail))
  }
  if ((node.spec.externalID ?? "") !== (old.spec.externalID ?? ""))
    out.push(field.forbidden("spec.externalID", "may not be updated"))
  return out
}

/** The names of a namespace's finalizers. */
export function validateNamespace({ spec }: Readonly<Namespace>): FieldError[] {
  const out: FieldError[] = []
  for (const name of spec.finalizers ?? []) {
    out.push(...reasons("spec.finalizers", name, isQualifiedName(name)))
    if (!name.includes("/") && name !== "kubernetes")
      out.push(
        field.invalid(
          "spec.finalizers",
          name,
          "name is neither a standard finalizer name nor is it fully qualified",
        ),
      )
  }
  return out
}

export function validateNamespaceStatusUpdate(namespace: Readonly<Namespace>): FieldError[] {
  const { phase } = namespace.status
  const ending = namespace.metadata.deletionTimestamp !== undefined
  if (!ending && phase !== "Active")
    return [
      field.invalid("status.Phase", phase ?? "", "may only be 'Active' if `deletionTimestamp` is empty"),
    ]
  if (ending && phase !== "Terminating")
    return [
      field.invalid(
        "status.Phase",
        phase ?? "",
        "may only be 'Terminating' if `deletionTimestamp` is not empty",
      ),
    ]
  return []
}
