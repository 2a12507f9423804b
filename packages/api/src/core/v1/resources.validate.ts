/** Validation of resource lists. Mirrors: pkg/apis/core/validation/validation.go (ValidateResourceRequirements) */
import { compareQuantities, field, isQualifiedName, parseQuantity, type Quantity } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { notNegativeMessage, oneOf, reasons } from "../../checks.ts"
import type { ContainerResizePolicy, ResourceRequirements } from "./types.gen.ts"

const standardContainerResources = new Set(["cpu", "memory", "ephemeral-storage"])
const standardResources = new Set([
  "configmaps",
  "cpu",
  "ephemeral-storage",
  "limits.cpu",
  "limits.ephemeral-storage",
  "limits.memory",
  "memory",
  "persistentvolumeclaims",
  "pods",
  "replicationcontrollers",
  "requests.cpu",
  "requests.ephemeral-storage",
  "requests.memory",
  "requests.storage",
  "resourcequotas",
  "secrets",
  "services",
  "services.loadbalancers",
  "services.nodeports",
  "storage",
])
const integerResources = new Set([
  "configmaps",
  "persistentvolumeclaims",
  "pods",
  "replicationcontrollers",
  "resourcequotas",
  "secrets",
  "services",
  "services.loadbalancers",
  "services.nodeports",
])

export function isHugePages(name: string): boolean {
  return name.startsWith("hugepages-")
}

/** `cpu`, `memory` and others without a domain, or with Kubernetes' own. */
function isNativeResource(name: string): boolean {
  return !name.includes("/") || name.includes("kubernetes.io/")
}

/** A device or other resource that is counted in whole numbers and never overcommitted. */
export function isExtendedResource(name: string): boolean {
  if (isNativeResource(name) || name.startsWith("requests.")) return false
  return isQualifiedName(`requests.${name}`).length === 0
}

export function isOvercommitAllowed(name: string): boolean {
  return isNativeResource(name) && !isHugePages(name)
}

function isStandard(name: string): boolean {
  return standardResources.has(name) || isQuotaHugePages(name)
}

function isQuotaHugePages(name: string): boolean {
  return isHugePages(name) || name.startsWith("requests.hugepages-")
}

/** The name of any resource: qualified, and with a domain unless it is a standard one. */
export function validateResourceName(path: string, name: string): FieldError[] {
  const out = reasons(path, name, isQualifiedName(name))
  if (out.length > 0) return out
  if (!name.includes("/") && !isStandard(name))
    return [field.invalid(path, name, "must be a standard resource type or fully qualified")]
  return []
}

/** The name of a resource that a container may ask for. */
export function validateContainerResourceName(path: string, name: string): FieldError[] {
  const out = validateResourceName(path, name)
  if (!name.includes("/")) {
    if (!standardContainerResources.has(name) && !isHugePages(name))
      out.push(field.invalid(path, name, "must be a standard resource for containers"))
  } else if (!isNativeResource(name) && !isExtendedResource(name)) {
    out.push(field.invalid(path, name, "doesn't follow extended resource name standard"))
  }
  return out
}

/** An amount of `name`: not negative, and whole where the resource is counted. */
export function validateResourceQuantity(path: string, name: string, text: string): FieldError[] {
  const quantity = parse(text)
  if (!quantity) return [field.invalid(path, text, "must be a valid resource quantity")]
  const out: FieldError[] = []
  if (quantity.sign() < 0) out.push(field.invalid(path, quantity.toString(), notNegativeMessage))
  const counted = integerResources.has(name) || isExtendedResource(name)
  const milli = quantity.milliValue()
  if (counted && (!Number.isFinite(milli) || BigInt(milli) % 1000n !== 0n))
    out.push(field.invalid(path, quantity, "must be an integer"))
  return out
}

function parse(text: string): Quantity | undefined {
  try {
    return parseQuantity(text)
  } catch {
    return undefined
  }
}

/** What a container or pod asks for and is held to. `claims` are the pod's resource claims. */
export function validateResourceRequirements(
  path: string,
  resources: ResourceRequirements | undefined,
  claims: ReadonlySet<string>,
  validateName: (path: string, name: string) => FieldError[] = validateContainerResourceName,
): FieldError[] {
  if (!resources) return []
  const out: FieldError[] = []
  const { limits = {}, requests = {} } = resources
  let cpuOrMemory = false
  let hugePages = false
  const see = (name: string): void => {
    if (isHugePages(name)) hugePages = true
    if (name === "cpu" || name === "memory") cpuOrMemory = true
  }
  for (const name of Object.keys(limits).sort()) {
    const at = `${path}.limits[${name}]`
    out.push(...validateName(at, name), ...validateResourceQuantity(at, name, limits[name]!))
    see(name)
  }
  for (const name of Object.keys(requests).sort()) {
    const at = `${path}.requests[${name}]`
    out.push(...validateName(at, name), ...validateResourceQuantity(at, name, requests[name]!))
    see(name)
    const request = parse(requests[name]!)
    const limit = limits[name] === undefined ? undefined : parse(limits[name])
    if (request && limit) {
      const order = compareQuantities(request, limit)
      if (order !== 0 && !isOvercommitAllowed(name))
        out.push(
          field.invalid(`${path}.requests`, request.toString(), `must be equal to ${name} limit of ${limit}`),
        )
      else if (order > 0)
        out.push(
          field.invalid(
            `${path}.requests`,
            request.toString(),
            `must be less than or equal to ${name} limit of ${limit}`,
          ),
        )
    } else if (!limit && !isOvercommitAllowed(name)) {
      out.push(field.required(`${path}.limits`, "Limit must be set for non overcommitable resources"))
    }
  }
  if (hugePages && !cpuOrMemory) out.push(field.forbidden(path, "HugePages require cpu or memory"))
  const seen = new Set<string>()
  for (const [i, { name, request }] of (resources.claims ?? []).entries()) {
    const at = `${path}.claims[${i}]`
    if (!name) {
      out.push(field.required(at, ""))
      continue
    }
    const key = request ? `${name}/${request}` : name
    if (seen.has(key) || (request && seen.has(name)))
      out.push(field.duplicate(at, seen.has(key) ? key : name))
    seen.add(key)
    if (!claims.has(name)) {
      const known = claims.size > 0 ? [...claims].sort().join(", ") : ""
      const detail = known
        ? `must be one of the names in pod.spec.resourceClaims: ${known}`
        : "must be one of the names in pod.spec.resourceClaims which is empty"
      out.push({ ...field.notFound(at, name), detail })
    }
  }
  return out
}

const resizeResources = ["cpu", "memory"]
const resizePolicies = ["NotRequired", "RestartContainer"]

export function validateResizePolicy(
  path: string,
  policies: readonly ContainerResizePolicy[] | undefined,
  podRestartPolicy: string | undefined,
): FieldError[] {
  const out: FieldError[] = []
  const seen = new Set<string>()
  for (const [i, { resourceName, restartPolicy }] of (policies ?? []).entries()) {
    if (seen.has(resourceName)) out.push(field.duplicate(`${path}[${i}]`, resourceName))
    seen.add(resourceName)
    out.push(...oneOf(path, resourceName, resizeResources), ...oneOf(path, restartPolicy, resizePolicies))
    if (podRestartPolicy === "Never" && restartPolicy !== "NotRequired") {
      const detail = "must be 'NotRequired' when pod `restartPolicy` is 'Never'"
      out.push(field.invalid(path, restartPolicy, detail))
    }
  }
  return out
}
