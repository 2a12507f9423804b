/** Validation of containers of all sorts. Mirrors: pkg/apis/core/validation/validation.go (validateContainers) */
import { field, isDNS1123Label, isValidPortName, isValidPortNum } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { descendingPath, noBacksteps, oneOf, reasons } from "../../checks.ts"
import { validateEnv, validateEnvFrom } from "./env.validate.ts"
import { validateLifecycle, validateProbes } from "./probe.validate.ts"
import { validateResizePolicy, validateResourceRequirements } from "./resources.validate.ts"
import { validateSecurityContext } from "./security.validate.ts"
import type {
  Container,
  ContainerPort,
  EphemeralContainer,
  PodSpec,
  Volume,
  VolumeDevice,
  VolumeMount,
} from "./types.gen.ts"

/** What the containers of one pod have in common. */
export interface PodContext {
  readonly spec: PodSpec
  readonly volumes: ReadonlyMap<string, Volume>
  readonly claims: ReadonlySet<string>
  readonly graceSeconds: number
}

const protocols = ["SCTP", "TCP", "UDP"]

function validatePorts(path: string, ports: readonly ContainerPort[] | undefined): FieldError[] {
  const out: FieldError[] = []
  const names = new Set<string>()
  for (const [i, port] of (ports ?? []).entries()) {
    const at = `${path}[${i}]`
    if (port.name) {
      const why = isValidPortName(port.name)
      out.push(...reasons(`${at}.name`, port.name, why))
      if (why.length === 0) {
        if (names.has(port.name)) out.push(field.duplicate(`${at}.name`, port.name))
        names.add(port.name)
      }
    }
    if (!port.containerPort) out.push(field.required(`${at}.containerPort`, ""))
    else out.push(...reasons(`${at}.containerPort`, port.containerPort, isValidPortNum(port.containerPort)))
    if (port.hostPort) out.push(...reasons(`${at}.hostPort`, port.hostPort, isValidPortNum(port.hostPort)))
    out.push(...oneOf(`${at}.protocol`, port.protocol, protocols))
  }
  return out
}

/** Two containers of a pod cannot have the same port of the host. */
function hostPortConflicts(path: string, containers: readonly Container[]): FieldError[] {
  const out: FieldError[] = []
  const taken = new Set<string>()
  for (const [i, container] of containers.entries()) {
    for (const [j, port] of (container.ports ?? []).entries()) {
      if (!port.hostPort) continue
      const key = `${port.protocol}/${port.hostIP ?? ""}/${port.hostPort}`
      if (taken.has(key)) out.push(field.duplicate(`${path}[${i}].ports[${j}].hostPort`, key))
      taken.add(key)
    }
  }
  return out
}

function validateMounts(
  path: string,
  mounts: readonly VolumeMount[] | undefined,
  devices: ReadonlyMap<string, string>,
  context: PodContext,
  privileged: boolean,
): FieldError[] {
  const out: FieldError[] = []
  const paths = new Set<string>()
  const devicePaths = new Set(devices.values())
  for (const [i, mount] of (mounts ?? []).entries()) {
    const at = `${path}[${i}]`
    if (!mount.name) out.push(field.required(`${at}.name`, ""))
    if (!context.volumes.has(mount.name)) out.push(field.notFound(`${at}.name`, mount.name ?? ""))
    if (!mount.mountPath) out.push(field.required(`${at}.mountPath`, ""))
    if (paths.has(mount.mountPath))
      out.push(field.invalid(`${at}.mountPath`, mount.mountPath, "must be unique"))
    paths.add(mount.mountPath)
    if (devices.has(mount.name))
      out.push(field.invalid(`${at}.name`, mount.name, "must not already exist in volumeDevices"))
    if (devicePaths.has(mount.mountPath))
      out.push(
        field.invalid(
          `${at}.mountPath`,
          mount.mountPath,
          "must not already exist as a path in volumeDevices",
        ),
      )
    for (const name of ["subPath", "subPathExpr"] as const) {
      const sub = mount[name]
      if (!sub) continue
      if (name === "subPathExpr" && mount.subPath)
        out.push(
          field.invalid(
            `${at}.subPathExpr`,
            mount.subPathExpr,
            "subPathExpr and subPath are mutually exclusive",
          ),
        )
      // Upstream leaves the index out of these paths.
      out.push(...descendingPath(`${path}.${name}`, sub))
    }
    const propagation = mount.mountPropagation
    if (propagation !== undefined) {
      const modes = ["Bidirectional", "HostToContainer", "None"]
      if (!modes.includes(propagation))
        out.push(field.notSupported(`${path}.mountPropagation`, propagation, modes))
      if (propagation === "Bidirectional" && !privileged)
        out.push(
          field.forbidden(
            `${path}.mountPropagation`,
            "Bidirectional mount propagation is available only to privileged containers",
          ),
        )
    }
    const recursive = mount.recursiveReadOnly
    if (recursive !== undefined && recursive !== "Disabled") {
      const where = `${path}.recursiveReadOnly`
      if (recursive === "Enabled" || recursive === "IfPossible") {
        if (!mount.readOnly) out.push(field.forbidden(where, "may only be specified when readOnly is true"))
        if (propagation !== undefined && propagation !== "None")
          out.push(
            field.forbidden(where, "may only be specified when mountPropagation is None or not specified"),
          )
      } else out.push(field.notSupported(where, recursive, ["Disabled", "Enabled", "IfPossible"]))
    }
  }
  return out
}

function validateDevices(
  path: string,
  devices: readonly VolumeDevice[] | undefined,
  mounts: ReadonlyMap<string, string>,
  context: PodContext,
): FieldError[] {
  const out: FieldError[] = []
  const names = new Set<string>()
  const paths = new Set<string>()
  const mountPaths = new Set(mounts.values())
  for (const [i, device] of (devices ?? []).entries()) {
    const at = `${path}[${i}]`
    const volume = context.volumes.get(device.name)
    if (!device.name) out.push(field.required(`${at}.name`, ""))
    if (names.has(device.name)) out.push(field.invalid(`${at}.name`, device.name, "must be unique"))
    names.add(device.name)
    if (!volume) out.push(field.notFound(`${at}.name`, device.name))
    else if (!volume.persistentVolumeClaim && !volume.ephemeral)
      out.push(
        field.invalid(
          `${at}.name`,
          device.name,
          "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode",
        ),
      )
    if (!device.devicePath) out.push(field.required(`${at}.devicePath`, ""))
    else {
      if (paths.has(device.devicePath))
        out.push(field.invalid(`${at}.devicePath`, device.devicePath, "must be unique"))
      paths.add(device.devicePath)
      if (noBacksteps("", device.devicePath).length > 0)
        out.push(field.invalid(`${at}.devicePath`, device.devicePath, "can not contain backsteps ('..')"))
    }
    if (mounts.has(device.name))
      out.push(field.invalid(`${at}.name`, device.name, "must not already exist in volumeMounts"))
    if (mountPaths.has(device.devicePath))
      out.push(
        field.invalid(
          `${at}.devicePath`,
          device.devicePath,
          "must not already exist as a path in volumeMounts",
        ),
      )
  }
  return out
}

function validateCommon(
  path: string,
  container: Container | EphemeralContainer,
  context: PodContext,
): FieldError[] {
  const out: FieldError[] = []
  if (!container.name) out.push(field.required(`${path}.name`, ""))
  else out.push(...reasons(`${path}.name`, container.name, isDNS1123Label(container.name)))
  if (!container.image) out.push(field.required(`${path}.image`, ""))
  const mounts = new Map((container.volumeMounts ?? []).map((mount) => [mount.name, mount.mountPath]))
  const devices = new Map((container.volumeDevices ?? []).map((device) => [device.name, device.devicePath]))
  const privileged = container.securityContext?.privileged ?? false
  out.push(
    ...oneOf(`${path}.terminationMessagePolicy`, container.terminationMessagePolicy, [
      "File",
      "FallbackToLogsOnError",
    ]),
    ...validatePorts(`${path}.ports`, container.ports),
    ...validateEnv(`${path}.env`, container.env),
    ...validateEnvFrom(`${path}.envFrom`, container.envFrom),
    ...validateMounts(`${path}.volumeMounts`, container.volumeMounts, devices, context, privileged),
    ...validateDevices(`${path}.volumeDevices`, container.volumeDevices, mounts, context),
    ...oneOf(`${path}.imagePullPolicy`, container.imagePullPolicy, ["Always", "IfNotPresent", "Never"]),
    ...validateResourceRequirements(`${path}.resources`, container.resources, context.claims),
    ...validateResizePolicy(`${path}.resizePolicy`, container.resizePolicy, context.spec.restartPolicy),
    ...validateSecurityContext(
      `${path}.securityContext`,
      container.securityContext,
      context.spec.hostUsers !== false,
    ),
  )
  return out
}

const ruleActions = ["Restart", "RestartAllContainers"]

function validateRestartPolicy(path: string, container: Container): FieldError[] {
  const { restartPolicy, restartPolicyRules: rules = [] } = container
  const out: FieldError[] = []
  if (restartPolicy === undefined) {
    if (rules.length > 0)
      out.push(
        field.required(`${path}.restartPolicy`, "must specify restartPolicy when restart rules are used"),
      )
  } else if (!["Always", "Never", "OnFailure"].includes(restartPolicy))
    out.push(field.notSupported(`${path}.restartPolicy`, restartPolicy, ["Always", "Never", "OnFailure"]))
  if (rules.length > 20) out.push(field.tooMany(`${path}.restartPolicyRules`, rules.length, 20))
  for (const [i, { action, exitCodes }] of rules.entries()) {
    const at = `${path}.restartPolicyRules[${i}]`
    if (!ruleActions.includes(action)) out.push(field.notSupported(`${at}.action`, action ?? "", ruleActions))
    if (!exitCodes) out.push(field.required(`${at}.exitCodes`, "must be specified"))
    else {
      if (!["In", "NotIn"].includes(exitCodes.operator))
        out.push(field.notSupported(`${at}.exitCodes.operator`, exitCodes.operator ?? "", ["In", "NotIn"]))
      const values = exitCodes.values ?? []
      if (values.length > 255) out.push(field.tooMany(`${at}.exitCodes.values`, values.length, 255))
    }
  }
  return out
}

/** The pod's containers proper. */
export function validateContainers(path: string, context: PodContext): FieldError[] {
  const containers = context.spec.containers ?? []
  if (containers.length === 0) return [field.required(path, "")]
  const out: FieldError[] = []
  const names = new Set<string>()
  for (const [i, container] of containers.entries()) {
    const at = `${path}[${i}]`
    out.push(...validateCommon(at, container, context))
    if (names.has(container.name)) out.push(field.duplicate(`${at}.name`, container.name))
    names.add(container.name)
    out.push(
      ...validateLifecycle(
        `${at}.lifecycle`,
        container.lifecycle,
        context.graceSeconds,
        context.spec.os?.name,
      ),
      ...validateProbes(at, container, context.graceSeconds),
      ...validateRestartPolicy(at, container),
    )
  }
  return [...out, ...hostPortConflicts(path, containers)]
}

/** Init containers; those with restartPolicy Always run beside the others. */
export function validateInitContainers(path: string, context: PodContext): FieldError[] {
  const out: FieldError[] = []
  const names = new Set((context.spec.containers ?? []).map(({ name }) => name))
  for (const [i, container] of (context.spec.initContainers ?? []).entries()) {
    const at = `${path}[${i}]`
    out.push(...validateCommon(at, container, context), ...validateRestartPolicy(at, container))
    if (names.has(container.name)) out.push(field.duplicate(`${at}.name`, container.name))
    else if (container.name) names.add(container.name)
    out.push(...hostPortConflicts(path, [container]))
    if (container.restartPolicy === "Always") {
      const { graceSeconds, spec } = context
      out.push(
        ...validateLifecycle(`${at}.lifecycle`, container.lifecycle, graceSeconds, spec.os?.name),
        ...validateProbes(at, container, graceSeconds),
      )
      continue
    }
    for (const name of ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] as const) {
      if (container[name])
        out.push(
          field.forbidden(`${at}.${name}`, "may not be set for init containers without restartPolicy=Always"),
        )
    }
    for (const [j, { restartPolicy }] of (container.resizePolicy ?? []).entries()) {
      if (restartPolicy === "RestartContainer")
        out.push(
          field.invalid(
            `${at}.resizePolicy[${j}].restartPolicy`,
            restartPolicy,
            "must not be set to 'RestartContainer' for non-sidecar initContainers",
          ),
        )
    }
  }
  return out
}

/** Fields of a container that an ephemeral one cannot have. */
const notEphemeral = [
  "ports",
  "resources",
  "resizePolicy",
  "restartPolicy",
  "restartPolicyRules",
  "livenessProbe",
  "readinessProbe",
  "startupProbe",
  "lifecycle",
] as const

export function validateEphemeralContainers(path: string, context: PodContext): FieldError[] {
  const out: FieldError[] = []
  const { spec } = context
  const others = new Set([...(spec.containers ?? []), ...(spec.initContainers ?? [])].map(({ name }) => name))
  const names = new Set(others)
  for (const [i, container] of (spec.ephemeralContainers ?? []).entries()) {
    const at = `${path}[${i}]`
    out.push(...validateCommon(at, container, context), ...validateImageSpace(at, container.image))
    if (names.has(container.name)) out.push(field.duplicate(`${at}.name`, container.name))
    names.add(container.name)
    if (container.targetContainerName && !others.has(container.targetContainerName))
      out.push(field.notFound(`${at}.targetContainerName`, container.targetContainerName))
    for (const name of notEphemeral) {
      const value = container[name]
      const empty =
        Array.isArray(value) || name === "resources" ? Object.keys(value ?? {}).length === 0 : false
      if (value !== undefined && !empty)
        out.push(field.forbidden(`${at}.${name}`, "cannot be set for an Ephemeral Container"))
    }
    for (const [j, mount] of (container.volumeMounts ?? []).entries()) {
      for (const name of ["subPath", "subPathExpr"] as const) {
        if (mount[name])
          out.push(
            field.forbidden(`${at}.volumeMounts[${j}].${name}`, "cannot be set for an Ephemeral Container"),
          )
      }
    }
  }
  return out
}

/** In pods, not in templates: an image's name has no space around it. */
export function validateImageSpace(path: string, image: string | undefined): FieldError[] {
  if (!image || image.trim() === image) return []
  return [field.invalid(`${path}.image`, image, "must not have leading or trailing whitespace")]
}
