/** What a pod may not ask for on its operating system. Mirrors: pkg/apis/core/validation/validation.go (validateOS) */
import { field } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import type { PodSpec } from "./types.gen.ts"

const notOnWindows = "cannot be set for a windows pod"
const notOnLinux = "windows options cannot be set for a linux pod"

const podFields = [
  "appArmorProfile",
  "seLinuxOptions",
  "seccompProfile",
  "fsGroup",
  "fsGroupChangePolicy",
  "sysctls",
  "runAsUser",
  "runAsGroup",
  "supplementalGroups",
  "supplementalGroupsPolicy",
  "seLinuxChangePolicy",
] as const

const specFields = ["hostUsers", "hostPID", "hostIPC", "shareProcessNamespace"] as const

const containerFields = [
  "appArmorProfile",
  "seLinuxOptions",
  "seccompProfile",
  "capabilities",
  "readOnlyRootFilesystem",
  "privileged",
  "allowPrivilegeEscalation",
  "procMount",
  "runAsUser",
  "runAsGroup",
] as const

export function validateOS(path: string, spec: PodSpec): FieldError[] {
  if (!spec.os) return []
  const { name } = spec.os
  if (!name) return [field.required(`${path}.os.name`, "")]
  if (name !== "linux" && name !== "windows")
    return [field.notSupported(`${path}.os`, name, ["linux", "windows"])]
  const out: FieldError[] = []
  const context = spec.securityContext
  const at = `${path}.securityContext`
  if (name === "linux") {
    if (context?.windowsOptions) out.push(field.forbidden(`${at}.windowsOptions`, notOnLinux))
  } else {
    if (spec.resources) out.push(field.forbidden(`${path}.resources`, "may not be set for a windows pod"))
    for (const one of podFields) {
      const value = context?.[one]
      if (value !== undefined && !(Array.isArray(value) && value.length === 0))
        out.push(field.forbidden(`${at}.${one}`, notOnWindows))
    }
    for (const one of specFields) {
      const value = spec[one]
      if (one === "hostUsers" || one === "shareProcessNamespace" ? value !== undefined : value)
        out.push(field.forbidden(`${path}.${one}`, notOnWindows))
    }
  }
  for (const kind of ["initContainers", "containers", "ephemeralContainers"] as const) {
    for (const [i, container] of (spec[kind] ?? []).entries()) {
      const own = container.securityContext
      const where = `${path}.${kind}[${i}].securityContext`
      if (name === "linux") {
        if (own?.windowsOptions) out.push(field.forbidden(`${where}.windowsOptions`, notOnLinux))
        continue
      }
      for (const one of containerFields)
        if (own?.[one] !== undefined) out.push(field.forbidden(`${where}.${one}`, notOnWindows))
    }
  }
  return out
}
