/** Validation of security contexts. Mirrors: pkg/apis/core/validation/validation.go */
import { field, isValidGroupID, isValidUserID } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { oneOfIfSet, reasons, descendingPath } from "../../checks.ts"
import { goValue } from "../../go-value.ts"
import type {
  AppArmorProfile,
  PodSecurityContext,
  PodSpec,
  SeccompProfile,
  SecurityContext,
  Sysctl,
} from "./types.gen.ts"

const profileTypes = ["Localhost", "RuntimeDefault", "Unconfined"]

function validateSeccomp(path: string, profile: SeccompProfile | undefined): FieldError[] {
  if (!profile) return []
  const out: FieldError[] = []
  if (!profile.type) out.push(field.required(`${path}.type`, "type is required when seccompProfile is set"))
  else if (!profileTypes.includes(profile.type))
    out.push(field.notSupported(`${path}.type`, profile.type, profileTypes))
  const at = `${path}.localhostProfile`
  const file = profile.localhostProfile
  if (profile.type === "Localhost") {
    if (file === undefined) out.push(field.required(at, "must be set when seccomp type is Localhost"))
    else out.push(...descendingPath(at, file))
  } else if (file !== undefined) {
    out.push(
      field.invalid(
        at,
        goValue("core.SeccompProfile", profile),
        "can only be set when seccomp type is Localhost",
      ),
    )
  }
  return out
}

const maxLocalProfile = 4095

function validateAppArmor(path: string, profile: AppArmorProfile | undefined): FieldError[] {
  if (!profile) return []
  const out: FieldError[] = []
  const at = `${path}.localhostProfile`
  const name = profile.localhostProfile
  if (profile.type === "Localhost") {
    if (name === undefined) out.push(field.required(at, "must be set when AppArmor type is Localhost"))
    else {
      if (name.trim() !== name) out.push(field.invalid(at, name, "must not be padded with whitespace"))
      else if (name === "") out.push(field.required(at, "must be set when AppArmor type is Localhost"))
      if (Buffer.byteLength(name) > maxLocalProfile) out.push(field.tooLong(at, "", maxLocalProfile))
    }
  } else if (profileTypes.includes(profile.type)) {
    if (name !== undefined)
      out.push(field.invalid(at, name, "can only be set when AppArmor type is Localhost"))
  } else if (!profile.type) {
    out.push(field.required(`${path}.type`, "type is required when appArmorProfile is set"))
  } else {
    out.push(field.notSupported(`${path}.type`, profile.type, profileTypes))
  }
  return out
}

const sysctlPattern = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/
const sysctlRegexText = String.raw`^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$`

function validateSysctls(path: string, sysctls: readonly Sysctl[] | undefined, spec: PodSpec): FieldError[] {
  const out: FieldError[] = []
  const seen = new Set<string>()
  for (const [i, { name }] of (sysctls ?? []).entries()) {
    const at = `${path}[${i}].name`
    if (!name) out.push(field.required(at, ""))
    else if (name.length > 253 || !sysctlPattern.test(name)) {
      const detail = `must have at most 253 characters and match regex ${sysctlRegexText}`
      out.push(field.invalid(at, name, detail))
    } else if (seen.has(name)) out.push(field.duplicate(at, name))
    seen.add(name)
    const dotted = name?.includes("/") && !name.includes(".") ? name.replaceAll("/", ".") : (name ?? "")
    if (spec.hostNetwork && dotted.startsWith("net."))
      out.push(field.invalid(at, name, "may not be specified when 'hostNetwork' is true"))
    else if (spec.hostIPC && /^(kernel\.(shm|msg|sem)|fs\.mqueue\.)/.test(dotted))
      out.push(field.invalid(at, name, "may not be specified when 'hostIPC' is true"))
  }
  return out
}

/** The security context of a whole pod. `path` is the context's. */
export function validatePodSecurityContext(
  path: string,
  context: PodSecurityContext | undefined,
  spec: PodSpec,
): FieldError[] {
  if (!context) return []
  const out: FieldError[] = []
  const id = (name: string, value: number | undefined, check: (id: number) => string[]): void => {
    if (value !== undefined) out.push(...reasons(`${path}.${name}`, value, check(value)))
  }
  id("fsGroup", context.fsGroup, isValidGroupID)
  id("runAsUser", context.runAsUser, isValidUserID)
  id("runAsGroup", context.runAsGroup, isValidGroupID)
  for (const [i, group] of (context.supplementalGroups ?? []).entries())
    id(`supplementalGroups[${i}]`, group, isValidGroupID)
  out.push(
    ...validateSysctls(`${path}.sysctls`, context.sysctls, spec),
    ...oneOfIfSet(`${path}.fsGroupChangePolicy`, context.fsGroupChangePolicy, ["Always", "OnRootMismatch"]),
    ...validateSeccomp(`${path}.seccompProfile`, context.seccompProfile),
    ...validateAppArmor(`${path}.appArmorProfile`, context.appArmorProfile),
    ...oneOfIfSet(`${path}.supplementalGroupsPolicy`, context.supplementalGroupsPolicy, ["Merge", "Strict"]),
    ...oneOfIfSet(`${path}.seLinuxChangePolicy`, context.seLinuxChangePolicy, ["MountOption", "Recursive"]),
  )
  return out
}

/** The security context of one container. */
export function validateSecurityContext(
  path: string,
  context: SecurityContext | undefined,
  hostUsers: boolean,
): FieldError[] {
  if (!context) return []
  const out: FieldError[] = []
  if (context.runAsUser !== undefined)
    out.push(...reasons(`${path}.runAsUser`, context.runAsUser, isValidUserID(context.runAsUser)))
  if (context.runAsGroup !== undefined)
    out.push(...reasons(`${path}.runAsGroup`, context.runAsGroup, isValidGroupID(context.runAsGroup)))
  out.push(...oneOfIfSet(`${path}.procMount`, context.procMount, ["Default", "Unmasked"]))
  if (hostUsers && context.procMount === "Unmasked")
    out.push(
      field.invalid(`${path}.procMount`, context.procMount, "`hostUsers` must be false to use `Unmasked`"),
    )
  out.push(...validateSeccomp(`${path}.seccompProfile`, context.seccompProfile))
  if (context.allowPrivilegeEscalation === false) {
    if (context.privileged)
      out.push(
        field.invalid(
          path,
          goValue("core.SecurityContext", context),
          "cannot set `allowPrivilegeEscalation` to false and `privileged` to true",
        ),
      )
    if (context.capabilities?.add?.includes("CAP_SYS_ADMIN"))
      out.push(
        field.invalid(
          path,
          goValue("core.SecurityContext", context),
          "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN",
        ),
      )
  }
  const windows = context.windowsOptions
  if (windows) {
    if (windows.gmsaCredentialSpec === "")
      out.push(
        field.invalid(
          `${path}.windowsOptions.gmsaCredentialSpec`,
          "",
          "gmsaCredentialSpec cannot be an empty string",
        ),
      )
    if (windows.runAsUserName === "")
      out.push(
        field.invalid(`${path}.windowsOptions.runAsUserName`, "", "runAsUserName cannot be an empty string"),
      )
  }
  out.push(...validateAppArmor(`${path}.appArmorProfile`, context.appArmorProfile))
  return out
}

/** What a pod in a user namespace of its own may not share with the host. */
export function validateHostUsers(path: string, spec: PodSpec): FieldError[] {
  if (spec.hostUsers !== false) return []
  const out: FieldError[] = []
  if (spec.hostNetwork) out.push(field.forbidden(`${path}.hostNetwork`, "when `hostUsers` is false"))
  if (spec.hostPID) out.push(field.forbidden(`${path}.HostPID`, "when `hostUsers` is false"))
  if (spec.hostIPC) out.push(field.forbidden(`${path}.HostIPC`, "when `hostUsers` is false"))
  for (const name of ["containers", "initContainers", "ephemeralContainers"] as const) {
    for (const [i, container] of (spec[name] ?? []).entries()) {
      if (container.volumeDevices?.length)
        out.push(field.forbidden(`${path}.${name}[${i}].volumeDevices`, "when `hostUsers` is false"))
    }
  }
  return out
}
