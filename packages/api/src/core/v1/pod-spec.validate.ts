/** Validation of a pod's spec, in pods and in templates. Mirrors: pkg/apis/core/validation/validation.go */
import {
  field,
  isDNS1123Label,
  isDNS1123Subdomain,
  isDNS1123SubdomainWithUnderscore,
  nameIsDNSSubdomain,
  parseQuantity,
  validateAnnotations,
  validateIP,
  validateLabels,
} from "@knarr/apimachinery"
import type { FieldError, Quantity } from "@knarr/apimachinery"
import { maxInt32, oneOf, oneOfIfSet, reasons } from "../../checks.ts"
import { goValue } from "../../go-value.ts"
import {
  validateAffinity,
  validateGateNames,
  validateTolerations,
  validateTopologySpread,
} from "./affinity.validate.ts"
import {
  validateContainers,
  validateEphemeralContainers,
  validateInitContainers,
  type PodContext,
} from "./container.validate.ts"
import {
  validateContainerResourceName,
  validateResourceName,
  validateResourceQuantity,
  validateResourceRequirements,
} from "./resources.validate.ts"
import { validateHostUsers, validatePodSecurityContext } from "./security.validate.ts"
import { validateVolumes } from "./volume.validate.ts"
import { validateAppArmorAnnotations } from "./app-armor.ts"
import { validateOS } from "./pod-os.validate.ts"
import { sumContainers } from "./pod-resource-sums.ts"
import type { HostAlias, PodDNSConfig, PodSpec, PodTemplateSpec } from "./types.gen.ts"

/** Checks a pod's spec. `podName` is known in a pod (even before its name is made up: then ""), not in a template. */
export function validatePodSpec(path: string, spec: PodSpec, podName?: string): FieldError[] {
  const out: FieldError[] = []
  if (spec.terminationGracePeriodSeconds === undefined)
    out.push(field.required(`${path}.terminationGracePeriodSeconds`, ""))
  const volumes = validateVolumes(`${path}.volumes`, spec.volumes, podName)
  out.push(...volumes.errors, ...validateResourceClaims(`${path}.resourceClaims`, spec))
  const context: PodContext = {
    spec,
    volumes: volumes.byName,
    claims: new Set((spec.resourceClaims ?? []).map(({ name }) => name)),
    graceSeconds: spec.terminationGracePeriodSeconds ?? 0,
  }
  out.push(
    ...validateContainers(`${path}.containers`, context),
    ...validateInitContainers(`${path}.initContainers`, context),
    ...validateEphemeralContainers(`${path}.ephemeralContainers`, context),
    ...validatePodResources(`${path}.resources`, spec, context.claims),
    ...validateHostNetwork(path, spec),
    ...oneOf(`${path}.restartPolicy`, spec.restartPolicy, ["Always", "OnFailure", "Never"]),
    ...oneOf(`${path}.dnsPolicy`, spec.dnsPolicy, [
      "ClusterFirstWithHostNet",
      "ClusterFirst",
      "Default",
      "None",
    ]),
    ...validateLabels(spec.nodeSelector ?? {}, `${path}.nodeSelector`),
    ...validatePodSecurityContext(`${path}.securityContext`, spec.securityContext, spec),
  )
  if (spec.shareProcessNamespace && spec.hostPID)
    out.push(
      field.invalid(
        `${path}.shareProcessNamespace`,
        true,
        "ShareProcessNamespace and HostPID cannot both be enabled",
      ),
    )
  out.push(
    ...validateAffinity(`${path}.affinity`, spec.affinity),
    ...validateDNSConfig(`${path}.dnsConfig`, spec.dnsConfig, spec.dnsPolicy),
    ...validateGateNames(`${path}.readinessGates`, spec.readinessGates),
    ...validateGateNames(`${path}.schedulingGates`, spec.schedulingGates),
    ...validateTopologySpread(`${path}.topologySpreadConstraints`, spec.topologySpreadConstraints),
    ...validateHostUsers(path, spec),
    ...validateHostnameOverride(path, spec),
    ...nameIfSet(`${path}.serviceAccountName`, spec.serviceAccountName),
    ...nameIfSet(`${path}.nodeName`, spec.nodeName),
  )
  const deadline = spec.activeDeadlineSeconds
  if (deadline !== undefined && (deadline < 1 || deadline > maxInt32))
    out.push(
      field.invalid(
        `${path}.activeDeadlineSeconds`,
        deadline,
        `must be between 1 and ${maxInt32}, inclusive`,
      ),
    )
  if (spec.hostname) out.push(...reasons(`${path}.hostname`, spec.hostname, isDNS1123Label(spec.hostname)))
  if (spec.subdomain)
    out.push(...reasons(`${path}.subdomain`, spec.subdomain, isDNS1123Label(spec.subdomain)))
  out.push(
    ...validateTolerations(`${path}.tolerations`, spec.tolerations),
    ...validateHostAliases(`${path}.hostAliases`, spec.hostAliases),
    ...nameIfSet(`${path}.priorityClassName`, spec.priorityClassName),
  )
  if (spec.runtimeClassName !== undefined)
    out.push(
      ...reasons(
        `${path}.runtimeClassName`,
        spec.runtimeClassName,
        nameIsDNSSubdomain(spec.runtimeClassName, false),
      ),
    )
  out.push(
    ...(spec.preemptionPolicy === ""
      ? [field.required(`${path}.preemptionPolicy`, "")]
      : oneOfIfSet(`${path}.preemptionPolicy`, spec.preemptionPolicy, ["PreemptLowerPriority", "Never"])),
  )
  for (const name of Object.keys(spec.overhead ?? {}).sort()) {
    const at = `${path}.overhead.limits[${name}]`
    out.push(
      ...validateContainerResourceName(at, name),
      ...validateResourceQuantity(at, name, spec.overhead![name]!),
    )
  }
  return [...out, ...validateOS(path, spec), ...validateFileKeyVolumes(path, spec)]
}

function nameIfSet(path: string, name: string | undefined): FieldError[] {
  return name ? reasons(path, name, nameIsDNSSubdomain(name, false)) : []
}

function validateResourceClaims(path: string, spec: PodSpec): FieldError[] {
  const out: FieldError[] = []
  const names = new Set<string>()
  for (const [i, claim] of (spec.resourceClaims ?? []).entries()) {
    const at = `${path}[${i}]`
    if (!claim.name) out.push(field.required(`${at}.name`, ""))
    else if (names.has(claim.name)) out.push(field.duplicate(`${at}.name`, claim.name))
    else out.push(...reasons(`${at}.name`, claim.name, isDNS1123Label(claim.name)))
    names.add(claim.name)
    const { resourceClaimName, resourceClaimTemplateName } = claim
    if (resourceClaimName !== undefined && resourceClaimTemplateName !== undefined) {
      const detail = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
      out.push(field.invalid(at, goValue("core.PodResourceClaim", claim), detail))
    }
    if (resourceClaimName === undefined && resourceClaimTemplateName === undefined) {
      const detail = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
      out.push(field.invalid(at, goValue("core.PodResourceClaim", claim), detail))
    }
    for (const name of ["resourceClaimName", "resourceClaimTemplateName"] as const) {
      const value = claim[name]
      if (value !== undefined) out.push(...reasons(`${at}.${name}`, value, isDNS1123Subdomain(value)))
    }
  }
  return out
}

const podLevel = ["cpu", "memory"]

/** Resources of the pod as a whole. */
function validatePodResources(path: string, spec: PodSpec, claims: ReadonlySet<string>): FieldError[] {
  if (!spec.resources) return []
  const out: FieldError[] = []
  if (spec.resources.claims?.length)
    out.push(field.forbidden(`${path}.claims`, "claims may not be set for Resources at pod-level"))
  out.push(
    ...validateResourceRequirements(path, spec.resources, claims, (at, name) => {
      const errors = validateResourceName(at, name)
      if (errors.length === 0 && !podLevel.includes(name) && !name.startsWith("hugepages-"))
        errors.push(field.notSupported(at, name, ["cpu", "hugepages-", "memory"]))
      return errors
    }),
  )
  const { limits, requests } = spec.resources
  const running = { ...spec, initContainers: [] }
  const [requestSums, limitSums] = [sumContainers(running, "requests"), sumContainers(running, "limits")]
  const limitsByName = containerLimits(spec)
  for (const name of Object.keys(requests ?? {}).sort()) {
    const sum = requestSums.get(name)
    const own = parseQuantity(requests![name]!)
    if (sum && own.compare(sum) < 0)
      out.push(
        field.invalid(
          `${path}.requests[${name}]`,
          own.toString(),
          `must be greater than or equal to aggregate container requests of ${sum}`,
        ),
      )
  }
  for (const name of Object.keys(limits ?? {}).sort()) {
    const own = parseQuantity(limits![name]!)
    if (name.startsWith("hugepages-")) {
      const sum = limitSums.get(name)
      if (sum && own.compare(sum) < 0)
        out.push(
          field.invalid(
            `${path}.limits[${name}]`,
            own.toString(),
            `must be greater than or equal to aggregate container limits of ${sum}`,
          ),
        )
      continue
    }
    for (const { at, amount } of limitsByName.get(name) ?? []) {
      if (amount.compare(own) <= 0) continue
      out.push(
        field.invalid(
          `${path}.${at}[${name}].limits`,
          amount.toString(),
          `must be less than or equal to pod limits of ${own}`,
        ),
      )
    }
  }
  return out
}

interface ContainerLimit {
  /** `containers[0]` */
  readonly at: string
  readonly amount: Quantity
}

/** The containers' limits by the names of resources, in the order of the containers. */
function containerLimits(spec: PodSpec): ReadonlyMap<string, readonly ContainerLimit[]> {
  const out = new Map<string, ContainerLimit[]>()
  for (const kind of ["containers", "initContainers"] as const)
    for (const [i, { resources }] of (spec[kind] ?? []).entries())
      for (const [name, text] of Object.entries(resources?.limits ?? {})) {
        const limit = { at: `${kind}[${i}]`, amount: parseQuantity(text) }
        const known = out.get(name)
        if (known) known.push(limit)
        else out.set(name, [limit])
      }
  return out
}

/** On the node's network a container's port is the node's. */
function validateHostNetwork(path: string, spec: PodSpec): FieldError[] {
  if (!spec.hostNetwork) return []
  const out: FieldError[] = []
  for (const [i, container] of (spec.containers ?? []).entries()) {
    for (const [j, { hostPort, containerPort }] of (container.ports ?? []).entries()) {
      if (hostPort !== undefined && hostPort !== 0 && hostPort !== containerPort)
        out.push(
          field.invalid(
            `${path}.containers[${i}].ports[${j}].hostPort`,
            hostPort,
            "must match `containerPort` when `hostNetwork` is true",
          ),
        )
    }
  }
  return out
}

function validateDNSConfig(
  path: string,
  config: PodDNSConfig | undefined,
  policy: string | undefined,
): FieldError[] {
  if (policy === "None") {
    if (!config) return [field.required(path, "must provide `dnsConfig` when `dnsPolicy` is None")]
    if (!config.nameservers?.length)
      return [
        field.required(
          `${path}.nameservers`,
          "must provide at least one DNS nameserver when `dnsPolicy` is None",
        ),
      ]
  }
  if (!config) return []
  const out: FieldError[] = []
  const { nameservers = [], searches = [], options = [] } = config
  if (nameservers.length > 3)
    out.push(field.invalid(`${path}.nameservers`, nameservers, "must not have more than 3 nameservers"))
  nameservers.forEach((server, i) => out.push(...validateIP(`${path}.nameservers[${i}]`, server)))
  if (searches.length > 32)
    out.push(field.invalid(`${path}.searches`, searches, "must not have more than 32 search paths"))
  if (searches.join(" ").length > 2048)
    out.push(
      field.invalid(
        `${path}.searches`,
        searches,
        "must not have more than 2048 characters (including spaces) in the search list",
      ),
    )
  searches.forEach((search, i) => {
    if (search === ".") return
    const name = search.endsWith(".") ? search.slice(0, -1) : search
    out.push(...reasons(`${path}.searches[${i}]`, name, isDNS1123SubdomainWithUnderscore(name)))
  })
  options.forEach((option, i) => {
    if (!option.name) out.push(field.required(`${path}.options[${i}]`, "must not be empty"))
  })
  return out
}

function validateHostAliases(path: string, aliases: readonly HostAlias[] | undefined): FieldError[] {
  const out: FieldError[] = []
  for (const [i, { ip, hostnames }] of (aliases ?? []).entries()) {
    out.push(...validateIP(`${path}[${i}].ip`, ip))
    for (const [j, name] of (hostnames ?? []).entries())
      out.push(...reasons(`${path}[${i}].hostnames[${j}]`, name, isDNS1123Subdomain(name)))
  }
  return out
}

function validateHostnameOverride(path: string, spec: PodSpec): FieldError[] {
  const name = spec.hostnameOverride
  if (name === undefined) return []
  const at = `${path}.hostnameOverride`
  const out: FieldError[] = []
  if (spec.setHostnameAsFQDN)
    out.push(field.forbidden(at, "may not be specified when setHostnameAsFQDN is true"))
  if (spec.hostNetwork) out.push(field.forbidden(at, "may not be specified when hostNetwork is true"))
  if (name.length > 64) out.push(field.tooLong(at, "", 64))
  return [...out, ...reasons(at, name, isDNS1123Subdomain(name))]
}

/** Environment files come out of emptyDir volumes. */
function validateFileKeyVolumes(path: string, spec: PodSpec): FieldError[] {
  const out: FieldError[] = []
  const volumes = new Map((spec.volumes ?? []).map((volume) => [volume.name, volume]))
  for (const kind of ["initContainers", "containers", "ephemeralContainers"] as const) {
    for (const [i, container] of (spec[kind] ?? []).entries()) {
      for (const [j, { valueFrom }] of (container.env ?? []).entries()) {
        const name = valueFrom?.fileKeyRef?.volumeName
        if (!name) continue
        const at = `${path}.${kind}[${i}].env[${j}].valueFrom.fileKeyRef.volumeName`
        const volume = volumes.get(name)
        if (!volume) out.push(field.notFound(at, name))
        else if (!volume.emptyDir)
          out.push(field.invalid(at, name, "referenced volume must be of type emptyDir"))
      }
    }
  }
  return out
}

const mirrorAnnotation = "kubernetes.io/config.mirror"
const deletionCostAnnotation = "controller.kubernetes.io/pod-deletion-cost"

/** Annotations with a meaning of their own on pods and templates. */
export function validatePodAnnotations(
  path: string,
  annotations: Readonly<Record<string, string>> | undefined,
  spec: PodSpec,
): FieldError[] {
  const out: FieldError[] = []
  const mirror = annotations?.[mirrorAnnotation]
  if (mirror !== undefined && !spec.nodeName)
    out.push(
      field.invalid(
        `${path}[${mirrorAnnotation}]`,
        mirror,
        "must set spec.nodeName if mirror pod annotation is set",
      ),
    )
  const cost = annotations?.[deletionCostAnnotation]
  if (
    cost !== undefined &&
    (!/^(0|-?[1-9]\d*)$/.test(cost) || Number(cost) > maxInt32 || Number(cost) < -maxInt32 - 1)
  )
    out.push(field.invalid(`${path}[${deletionCostAnnotation}]`, cost, "must be a 32bit integer"))
  return [...out, ...validateAppArmorAnnotations(path, annotations ?? {}, spec)]
}

/** The template of pods in a workload kind. */
export function validatePodTemplate(path: string, template: PodTemplateSpec): FieldError[] {
  const { metadata = {}, spec } = template
  const out = validateLabels(metadata.labels ?? {}, `${path}.labels`)
  out.push(
    ...validateAnnotations(metadata.annotations ?? {}, `${path}.annotations`),
    ...validatePodAnnotations(`${path}.annotations`, metadata.annotations, spec),
    ...validatePodSpec(`${path}.spec`, spec),
  )
  if (spec.ephemeralContainers?.length)
    out.push(
      field.forbidden(`${path}.spec.ephemeralContainers`, "ephemeral containers not allowed in pod template"),
    )
  return out
}
