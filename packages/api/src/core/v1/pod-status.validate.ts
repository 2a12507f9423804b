/** What a pod's status says of addresses and claims. Mirrors: pkg/apis/core/validation/validation.go (validatePodIPs and those around it) */
import { field, isDNS1123Label, nameIsDNSSubdomain, parseIP } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { reasons } from "../../checks.ts"
import type { HostIP, Pod, PodExtendedResourceClaimStatus, PodIP, PodSpec } from "./types.gen.ts"

export function validateStatusFields({ spec, status }: Readonly<Pod>): FieldError[] {
  return [
    ...claimStatuses(spec, status.resourceClaimStatuses ?? []),
    ...extendedClaim(spec, status.extendedResourceClaimStatus),
    ...podIPs(status),
    ...hostIPs(status),
  ]
}

const each = (path: string, ips: readonly PodIP[]): FieldError[] =>
  ips.flatMap(({ ip = "" }, i) =>
    parseIP(ip)
      ? []
      : [field.invalid(`${path}[${i}]`, ip, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")],
  )

/** As Go prints them. */
const shown = (ips: readonly PodIP[]): object[] => ips.map(({ ip = "" }) => ({ IP: ip }))

function perFamily(path: string, ips: readonly PodIP[]): FieldError[] {
  const families = new Set(ips.map(({ ip = "" }) => ip.includes(":")))
  return ips.length > families.size
    ? [field.invalid(path, shown(ips), "may specify no more than one IP for each IP family")]
    : []
}

function podIPs({ podIP = "", podIPs: ips = [] }: Pod["status"]): FieldError[] {
  const path = "status.podIPs"
  const out = [...each(path, ips), ...perFamily(path, ips)]
  if ((podIP !== "") !== ips.length > 0)
    out.push(field.invalid(path, shown(ips), "podIP and podIPs must either both be set or both be unset"))
  else if (ips.length > 0 && ips[0]!.ip !== podIP)
    out.push(field.invalid(`${path}[0].ip`, ips[0]!.ip, "must be equal to `podIP`"))
  return out
}

function hostIPs({ hostIP = "", hostIPs: ips = [] }: Pod["status"]): FieldError[] {
  const path = "status.hostIPs"
  const [first] = ips as readonly HostIP[]
  if (!first) return []
  return [
    ...((first.ip ?? "") === hostIP
      ? []
      : [field.invalid(`${path}[0].ip`, first.ip, "must be equal to `hostIP`")]),
    ...each(path, ips),
    ...perFamily(path, ips),
  ]
}

const claimName = (path: string, name: string): FieldError[] =>
  reasons(path, name, nameIsDNSSubdomain(name, false))

function claimStatuses(
  { resourceClaims = [] }: PodSpec,
  statuses: NonNullable<Pod["status"]["resourceClaimStatuses"]>,
): FieldError[] {
  const known = new Set(resourceClaims.map(({ name }) => name))
  const seen = new Set<string>()
  const out: FieldError[] = []
  for (const [i, { name = "", resourceClaimName }] of statuses.entries()) {
    const at = `status.resourceClaimStatuses[${i}]`
    if (!known.has(name))
      out.push(field.invalid(`${at}.name`, name, "must match the name of an entry in `spec.resourceClaims`"))
    if (seen.has(name)) out.push(field.duplicate(`${at}.name`, name))
    seen.add(name)
    if (resourceClaimName !== undefined) out.push(...claimName(`${at}.resourceClaimName`, resourceClaimName))
  }
  return out
}

function extendedClaim(spec: PodSpec, status: PodExtendedResourceClaimStatus | undefined): FieldError[] {
  if (!status) return []
  const path = "status.extendedResourceClaimStatus"
  const { requestMappings = [], resourceClaimName = "" } = status
  const containers = new Map(
    [...(spec.initContainers ?? []), ...spec.containers].map((container) => [container.name, container]),
  )
  const out: FieldError[] = []
  if (requestMappings.length === 0)
    out.push(field.required(`${path}.requestMappings`, "at least one request mapping is required"))
  const seen = new Set<string>()
  for (const [i, { containerName, resourceName, requestName }] of requestMappings.entries()) {
    const at = `${path}.requestMappings[${i}]`
    const container = containers.get(containerName)
    const where = "spec.initContainers"
    if (!container)
      out.push(
        field.invalid(
          `${at}.containerName`,
          containerName,
          `must match the name of an entry in ${where}.name or spec.containers.name`,
        ),
      )
    else if (container.resources?.requests?.[resourceName] === undefined)
      out.push(
        field.invalid(
          `${at}.resourceName`,
          resourceName,
          `must match the extended resource name of an entry in ${where}.resources.requests or spec.containers.resources.requests`,
        ),
      )
    out.push(...reasons(`${path}.requestName`, requestName, isDNS1123Label(requestName)))
    const key = [containerName, resourceName, requestName].join("\0")
    if (seen.has(key))
      for (const [name, value] of Object.entries({ containerName, resourceName, requestName }))
        out.push(field.duplicate(`${at}.${name}`, value))
    seen.add(key)
  }
  out.push(
    ...(resourceClaimName === ""
      ? [field.required(`${path}.resourceClaimName`, "")]
      : claimName(`${path}.resourceClaimName`, resourceClaimName)),
  )
  return out
}
