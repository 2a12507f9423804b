/** Validation of container environments. Mirrors: pkg/apis/core/validation/validation.go */
import {
  canonicalQuantity,
  field,
  isConfigMapKey,
  isQualifiedName,
  isRelaxedEnvVarName,
  nameIsDNSSubdomain,
} from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { noBacksteps, reasons } from "../../checks.ts"
import type {
  EnvFromSource,
  EnvVar,
  EnvVarSource,
  ObjectFieldSelector,
  ResourceFieldSelector,
} from "./types.gen.ts"

const envFieldPaths: readonly string[] = [
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "spec.nodeName",
  "spec.serviceAccountName",
  "status.hostIP",
  "status.hostIPs",
  "status.podIP",
  "status.podIPs",
]

export const volumeFieldPaths: readonly string[] = [
  "metadata.annotations",
  "metadata.labels",
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
]

/** Every path that `v1` knows; a kind of use allows some of them. */
const knownPaths = new Set([
  "metadata.annotations",
  "metadata.labels",
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "spec.hostname",
  "spec.nodeName",
  "spec.restartPolicy",
  "spec.schedulerName",
  "spec.serviceAccountName",
  "status.hostIP",
  "status.hostIPs",
  "status.nominatedNodeName",
  "status.phase",
  "status.podIP",
  "status.podIPs",
])

const resourceFields: readonly string[] = [
  "limits.cpu",
  "limits.ephemeral-storage",
  "limits.memory",
  "requests.cpu",
  "requests.ephemeral-storage",
  "requests.memory",
]

export function validateEnv(path: string, env: readonly EnvVar[] | undefined): FieldError[] {
  const out: FieldError[] = []
  for (const [i, variable] of (env ?? []).entries()) {
    const at = `${path}[${i}]`
    if (!variable.name) out.push(field.required(`${at}.name`, ""))
    else out.push(...reasons(`${at}.name`, variable.name, isRelaxedEnvVarName(variable.name)))
    if (variable.valueFrom)
      out.push(...validateValueFrom(`${at}.valueFrom`, variable.valueFrom, variable.value))
  }
  return out
}

function validateValueFrom(path: string, from: EnvVarSource, value: string | undefined): FieldError[] {
  const out: FieldError[] = []
  let sources = 0
  if (from.fieldRef) {
    sources++
    out.push(...validateFieldRef(`${path}.fieldRef`, from.fieldRef, envFieldPaths, true))
  }
  if (from.resourceFieldRef) {
    sources++
    out.push(...validateResourceFieldRef(`${path}.resourceFieldRef`, from.resourceFieldRef, false))
  }
  for (const source of ["configMapKeyRef", "secretKeyRef"] as const) {
    const ref = from[source]
    if (!ref) continue
    sources++
    const { name = "" } = ref
    out.push(...reasons(`${path}.${source}.name`, name, nameIsDNSSubdomain(name, false)))
    if (!ref.key) out.push(field.required(`${path}.${source}.key`, ""))
    else out.push(...reasons(`${path}.${source}.key`, ref.key, isConfigMapKey(ref.key)))
  }
  if (from.fileKeyRef) {
    sources++
    const { key, volumeName, path: file } = from.fileKeyRef
    const at = `${path}.fileKeyRef`
    if (!key) out.push(field.required(`${at}.key`, ""))
    else out.push(...reasons(`${at}.key`, key, isRelaxedEnvVarName(key)))
    if (!volumeName) out.push(field.required(`${at}.volumeName`, ""))
    if (!file) out.push(field.required(`${at}.path`, ""))
    else {
      if (file.startsWith("/")) out.push(field.invalid(`${at}.path`, file, "must be a relative path"))
      out.push(...noBacksteps(`${at}.path`, file))
      if (file.startsWith("..") && !file.startsWith("../"))
        out.push(field.invalid(`${at}.path`, file, "must not start with '..'"))
    }
  }
  if (sources === 0) {
    const all = "`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
    out.push(field.invalid(path, "", `must specify one of: ${all}`))
  } else if (value) {
    out.push(field.invalid(path, "", "may not be specified when `value` is not empty"))
  } else if (sources > 1) {
    out.push(field.invalid(path, "", "may not have more than one field specified at a time"))
  }
  return out
}

/** A path to a field of the pod, out of `allowed`; `subscripts` allows one label or annotation. */
export function validateFieldRef(
  path: string,
  ref: ObjectFieldSelector,
  allowed: readonly string[],
  subscripts = true,
): FieldError[] {
  if (!ref.apiVersion) return [field.required(`${path}.apiVersion`, "")]
  if (!ref.fieldPath) return [field.required(`${path}.fieldPath`, "")]
  if (ref.apiVersion !== "v1") {
    const detail = `error converting fieldPath: unsupported pod version: ${ref.apiVersion}`
    return [field.invalid(`${path}.fieldPath`, ref.fieldPath, detail)]
  }
  const subscript = /^(.+)\['([^']*)'\]$/.exec(ref.fieldPath)
  const [base, key] = subscript ? [subscript[1]!, subscript[2]!] : [ref.fieldPath, undefined]
  const known = subscript
    ? base === "metadata.annotations" || base === "metadata.labels"
    : knownPaths.has(base)
  if (!known) {
    const detail = `error converting fieldPath: field label not supported: ${ref.fieldPath}`
    return [field.invalid(`${path}.fieldPath`, ref.fieldPath, detail)]
  }
  if (key !== undefined && subscripts) return validateSubscript(path, base, key)
  if (!allowed.includes(base)) return [field.notSupported(`${path}.fieldPath`, ref.fieldPath, allowed)]
  return []
}

function validateSubscript(path: string, base: string, key: string): FieldError[] {
  const name = base === "metadata.annotations" ? key.toLowerCase() : key
  return reasons(path, key, isQualifiedName(name))
}

/** An amount of one of the container's resources; `named` demands the container's name. */
export function validateResourceFieldRef(
  path: string,
  ref: ResourceFieldSelector,
  named: boolean,
): FieldError[] {
  if (named && !ref.containerName) return [field.required(`${path}.containerName`, "")]
  if (!ref.resource) return [field.required(`${path}.resource`, "")]
  const huge = /^(limits|requests)\.hugepages-/.test(ref.resource)
  if (!resourceFields.includes(ref.resource) && !huge)
    return [field.notSupported(`${path}.resource`, ref.resource, resourceFields)]
  return validateDivisor(path, ref)
}

const byteDivisors = new Set("0 1 1k 1M 1G 1T 1P 1E 1Ki 1Mi 1Gi 1Ti 1Pi 1Ei".split(" "))
const byteDivisorText = "1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei"

function validateDivisor(path: string, { resource, divisor }: ResourceFieldSelector): FieldError[] {
  const text = canonicalQuantity(divisor ?? "0")
  const name = resource.slice(resource.indexOf(".") + 1)
  if (name === "cpu") {
    if (["0", "1m", "1"].includes(text)) return []
    const detail = "only divisor's values 1m and 1 are supported with the cpu resource"
    return [field.invalid(`${path}.divisor`, resource, detail)]
  }
  if (byteDivisors.has(text)) return []
  const what =
    name === "ephemeral-storage"
      ? "local ephemeral storage"
      : name.startsWith("hugepages-")
        ? "hugepages"
        : name
  const detail = `only divisor's values ${byteDivisorText} are supported with the ${what} resource`
  return [field.invalid(`${path}.divisor`, resource, detail)]
}

export function validateEnvFrom(path: string, sources: readonly EnvFromSource[] | undefined): FieldError[] {
  const out: FieldError[] = []
  for (const [i, source] of (sources ?? []).entries()) {
    const at = `${path}[${i}]`
    if (source.prefix) out.push(...reasons(`${at}.prefix`, source.prefix, isRelaxedEnvVarName(source.prefix)))
    let count = 0
    for (const kind of ["configMapRef", "secretRef"] as const) {
      const ref = source[kind]
      if (!ref) continue
      count++
      if (!ref.name) out.push(field.required(`${at}.${kind}.name`, ""))
      else out.push(...reasons(`${at}.${kind}.name`, ref.name, nameIsDNSSubdomain(ref.name, false)))
    }
    if (count === 0) out.push(field.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"))
    else if (count > 1)
      out.push(field.invalid(path, "", "may not have more than one field specified at a time"))
  }
  return out
}
