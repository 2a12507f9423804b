/**
 * Validation of services. Addresses and node ports have been given by the API server before it runs.
 * Mirrors: pkg/apis/core/validation/validation.go (ValidateService)
 */
import {
  field,
  isDNS1123Label,
  isDNS1123Subdomain,
  isQualifiedName,
  isValidPortNum,
  parseIP,
  validateLabels,
  validateLegacyCIDR,
  validateLegacyIP,
  totalAnnotationSizeLimit,
} from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { oneOf, reasons } from "../../checks.ts"
import { validateEndpointIP } from "./endpoints.validate.ts"
import { validatePort } from "./probe.validate.ts"
import { isExternallyAccessible } from "./service.defaults.ts"
import type { Service, ServicePort, ServiceSpec } from "./types.gen.ts"

const types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]
const onlyForLoadBalancer = "may only be used when `type` is 'LoadBalancer'"
const rangesAnnotation = "service.beta.kubernetes.io/load-balancer-source-ranges"

/** A service whose name resolves to its endpoints. */
export function isHeadless(spec: Readonly<ServiceSpec>): boolean {
  return spec.clusterIPs?.length === 1 && spec.clusterIPs[0] === "None"
}

/** Whether a load balancer must ask each node for its own endpoints. */
export function needsHealthCheck(spec: Readonly<ServiceSpec>): boolean {
  return spec.type === "LoadBalancer" && spec.externalTrafficPolicy === "Local"
}

export function validateService(service: Readonly<Service>, old?: Readonly<Service>): FieldError[] {
  const { spec } = service
  const out: FieldError[] = []
  const headless = isHeadless(spec)
  const ports = spec.ports ?? []
  if (ports.length === 0 && !headless && spec.type !== "ExternalName")
    out.push(field.required("spec.ports", ""))
  if (headless && (spec.type === "LoadBalancer" || spec.type === "NodePort"))
    out.push(
      field.invalid("spec.clusterIPs[0]", "None", `may not be set to 'None' for ${spec.type} services`),
    )
  if (spec.type === "ExternalName") out.push(...validateExternalName(spec))
  const names = new Set<string>()
  ports.forEach((port, i) =>
    out.push(...validateServicePort(`spec.ports[${i}]`, port, ports.length > 1, names)),
  )
  out.push(...validateLabels(spec.selector ?? {}, "spec.selector"))
  out.push(...validateAffinity(spec), ...validateClusterIPs(spec, old))
  for (const [i, ip] of (spec.externalIPs ?? []).entries()) {
    const at = `spec.externalIPs[${i}]`
    const errors = validateLegacyIP(at, ip, true, old?.spec.externalIPs)
    out.push(...(errors.length > 0 ? errors : validateEndpointIP(at, ip)))
  }
  out.push(...oneOf("spec.type", spec.type, types), ...validatePortNumbers(spec))
  out.push(...validateLoadBalancer(service, old), ...validateTraffic(spec))
  return out
}

function validateExternalName(spec: ServiceSpec): FieldError[] {
  const out: FieldError[] = []
  const not = "may not be set for ExternalName services"
  if (spec.clusterIPs?.length) out.push(field.forbidden("spec.clusterIPs", not))
  if (spec.ipFamilies?.length) out.push(field.forbidden("spec.ipFamilies", not))
  if (spec.ipFamilyPolicy !== undefined) out.push(field.forbidden("spec.ipFamilyPolicy", not))
  const name = (spec.externalName ?? "").replace(/\.$/, "")
  if (!name) out.push(field.required("spec.externalName", ""))
  else out.push(...reasons("spec.externalName", name, isDNS1123Subdomain(name)))
  return out
}

function validateServicePort(
  path: string,
  port: ServicePort,
  named: boolean,
  names: Set<string>,
): FieldError[] {
  const out: FieldError[] = []
  if (!port.name) {
    if (named) out.push(field.required(`${path}.name`, ""))
  } else {
    out.push(...reasons(`${path}.name`, port.name, isDNS1123Label(port.name)))
    if (names.has(port.name)) out.push(field.duplicate(`${path}.name`, port.name))
    names.add(port.name)
  }
  out.push(
    ...reasons(`${path}.port`, port.port ?? 0, isValidPortNum(port.port ?? 0)),
    ...oneOf(`${path}.protocol`, port.protocol, ["SCTP", "TCP", "UDP"]),
    ...validatePort(`${path}.targetPort`, port.targetPort),
  )
  if (port.appProtocol !== undefined)
    out.push(...reasons(`${path}.appProtocol`, port.appProtocol, isQualifiedName(port.appProtocol)))
  return out
}

function validateAffinity(spec: ServiceSpec): FieldError[] {
  const out = oneOf("spec.sessionAffinity", spec.sessionAffinity, ["ClientIP", "None"])
  const path = "spec.sessionAffinityConfig"
  const config = spec.sessionAffinityConfig
  if (spec.sessionAffinity === "ClientIP") {
    const detail = "when session affinity type is ClientIP"
    const seconds = config?.clientIP?.timeoutSeconds
    if (!config) out.push(field.required(path, detail))
    else if (!config.clientIP) out.push(field.required(`${path}.clientIP`, detail))
    else if (seconds === undefined) out.push(field.required(`${path}.clientIP.timeoutSeconds`, detail))
    else if (seconds <= 0 || seconds > 86_400)
      out.push(
        field.invalid(
          `${path}.clientIP.timeoutSeconds`,
          seconds,
          "must be greater than 0 and less than 86400",
        ),
      )
  } else if (spec.sessionAffinity === "None" && config) {
    out.push(field.forbidden(path, "must not be set when session affinity is None"))
  }
  return out
}

/** Addresses and their families; they are looked at before any is taken, too. */
export function validateClusterIPs(spec: ServiceSpec, old: Readonly<Service> | undefined): FieldError[] {
  if (spec.type === "ExternalName") return []
  const out: FieldError[] = []
  const path = "spec.clusterIPs"
  const ips = spec.clusterIPs ?? []
  const families = spec.ipFamilies ?? []
  if (spec.clusterIP) {
    if (ips.length === 0) out.push(field.required(path, ""))
    else if (ips[0] !== spec.clusterIP)
      out.push(field.invalid(path, ips, "first value must match `clusterIP`"))
  } else if (ips.length > 0) {
    out.push(field.invalid(path, ips, "must be empty when `clusterIP` is not specified"))
  }
  const seen = new Set<string>()
  families.forEach((family, i) => {
    if (family !== "IPv4" && family !== "IPv6")
      out.push(field.notSupported(`spec.ipFamilies[${i}]`, family, ["IPv4", "IPv6"]))
    if (seen.has(family)) out.push(field.duplicate(`spec.ipFamilies[${i}]`, family))
    seen.add(family)
  })
  const policies = ["PreferDualStack", "RequireDualStack", "SingleStack"]
  if (spec.ipFamilyPolicy !== undefined && !policies.includes(spec.ipFamilyPolicy))
    out.push(field.notSupported("spec.ipFamilyPolicy", spec.ipFamilyPolicy, policies))
  let bad = false
  ips.forEach((ip, i) => {
    if (i === 0 && ip === "None") {
      if (ips.length > 1) {
        bad = true
        out.push(field.invalid(path, ips, "'None' must be the first and only value"))
      }
      return
    }
    const errors = validateLegacyIP(`${path}[${i}]`, ip, true, old?.spec.clusterIPs)
    if (errors.length > 0) bad = true
    out.push(...errors)
  })
  if (ips.length > 2) out.push(field.invalid(path, ips, "may only hold up to 2 values"))
  if (bad) return out
  if (ips.length > 1 && new Set(ips.map(isIPv6)).size === 1)
    out.push(field.invalid(path, ips, "may specify no more than one IP for each IP family"))
  if (isHeadless(spec)) return out
  ips.forEach((ip, i) => {
    const family = families[i]
    if (family !== undefined && (family === "IPv6") !== isIPv6(ip))
      out.push(
        field.invalid(
          `${path}[${i}]`,
          ip,
          `expected an ${family} value as indicated by \`ipFamilies[${i}]\``,
        ),
      )
  })
  return out
}

function isIPv6(ip: string): boolean {
  return ip.includes(":")
}

function validatePortNumbers(spec: ServiceSpec): FieldError[] {
  const out: FieldError[] = []
  const ports = spec.ports ?? []
  if (spec.type === "ClusterIP")
    ports.forEach(({ nodePort }, i) => {
      if (nodePort)
        out.push(field.forbidden(`spec.ports[${i}].nodePort`, "may not be used when `type` is 'ClusterIP'"))
    })
  const nodePorts = new Set<string>()
  ports.forEach(({ nodePort, protocol }, i) => {
    if (!nodePort) return
    const key = `${protocol}/${nodePort}`
    if (nodePorts.has(key)) out.push(field.duplicate(`spec.ports[${i}].nodePort`, nodePort))
    nodePorts.add(key)
  })
  const taken = new Set<string>()
  ports.forEach(({ port, protocol }, i) => {
    const key = `${protocol}/${port}`
    // The value is the port as Go would print the part of it that must be unique.
    const value = { name: "", protocol, appProtocol: null, port, targetPort: 0, nodePort: 0 }
    if (taken.has(key)) out.push(field.duplicate(`spec.ports[${i}]`, goPort(value)))
    taken.add(key)
  })
  return out
}

function goPort(port: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(port).map(([name, value]) => [name[0]!.toUpperCase() + name.slice(1), value]),
  )
}

function validateLoadBalancer({ metadata, spec }: Readonly<Service>, old?: Readonly<Service>): FieldError[] {
  const out: FieldError[] = []
  const balanced = spec.type === "LoadBalancer"
  const ranges = spec.loadBalancerSourceRanges ?? []
  const annotation = metadata.annotations?.[rangesAnnotation]
  if (ranges.length > 0) {
    const path = "spec.LoadBalancerSourceRanges"
    if (!balanced) out.push(field.forbidden(path, onlyForLoadBalancer))
    const before = old?.spec.loadBalancerSourceRanges?.map((range) => range.trim())
    ranges.forEach((range, i) => out.push(...validateLegacyCIDR(`${path}[${i}]`, range.trim(), true, before)))
  } else if (annotation !== undefined) {
    const path = `metadata.annotations[${rangesAnnotation}]`
    if (!balanced) out.push(field.forbidden(path, onlyForLoadBalancer))
    // One that is too long for an annotation is refused as such.
    const isNew = annotation !== old?.metadata.annotations?.[rangesAnnotation]
    if (isNew && annotation.length <= totalAnnotationSizeLimit && annotation.trim())
      for (const range of annotation.split(",")) out.push(...validateLegacyCIDR(path, range.trim(), true))
  }
  const allocate = spec.allocateLoadBalancerNodePorts
  if (allocate !== undefined && !balanced)
    out.push(field.forbidden("spec.allocateLoadBalancerNodePorts", onlyForLoadBalancer))
  if (balanced && allocate === undefined) out.push(field.required("allocateLoadBalancerNodePorts", ""))
  const className = spec.loadBalancerClass
  if (className !== undefined) {
    const path = "spec.loadBalancerClass"
    if (!balanced) out.push(field.forbidden(path, onlyForLoadBalancer))
    else out.push(...reasons(path, className, isQualifiedName(className)))
  }
  return out
}

function validateTraffic(spec: ServiceSpec): FieldError[] {
  const out: FieldError[] = []
  const policy = spec.externalTrafficPolicy
  if (isExternallyAccessible(spec))
    out.push(...oneOf("spec.externalTrafficPolicy", policy, ["Cluster", "Local"]))
  else if (policy)
    out.push(
      field.invalid(
        "spec.externalTrafficPolicy",
        policy,
        "may only be set for externally-accessible services",
      ),
    )
  const health = spec.healthCheckNodePort ?? 0
  if (!needsHealthCheck(spec)) {
    if (health !== 0)
      out.push(
        field.invalid(
          "spec.healthCheckNodePort",
          health,
          "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
        ),
      )
  } else if (health === 0) out.push(field.required("spec.healthCheckNodePort", ""))
  else out.push(...reasons("spec.healthCheckNodePort", health, isValidPortNum(health)))
  const internal = spec.internalTrafficPolicy
  if (internal === undefined) {
    if (spec.type !== "ExternalName") out.push(field.required("spec.internalTrafficPolicy", ""))
  } else out.push(...oneOf("spec.internalTrafficPolicy", internal, ["Cluster", "Local"]))
  const distribution = spec.trafficDistribution
  const distributions = ["PreferClose", "PreferSameZone", "PreferSameNode"]
  if (distribution !== undefined && !distributions.includes(distribution))
    out.push(field.notSupported("spec.trafficDistribution", distribution, distributions))
  return out
}

/** What must not change in a service: its first address and family, and its health check port. */
export function validateServiceUpdate(service: Readonly<Service>, old: Readonly<Service>): FieldError[] {
  const out: FieldError[] = []
  const { spec } = service
  const was = old.spec
  if (was.type !== "ExternalName" && spec.type !== "ExternalName") {
    out.push(...validateKept("clusterIPs", "clusterIP", spec, was))
    out.push(...validateKept("ipFamilies", "ipFamily", spec, was))
  }
  const bothBalanced = was.type === "LoadBalancer" && spec.type === "LoadBalancer"
  if (bothBalanced && was.loadBalancerClass !== spec.loadBalancerClass)
    out.push(field.invalid("spec.loadBalancerClass", spec.loadBalancerClass, "may not change once set"))
  if (needsHealthCheck(was) && needsHealthCheck(spec) && was.healthCheckNodePort !== spec.healthCheckNodePort)
    out.push(field.forbidden("spec.healthCheckNodePort", "field is immutable"))
  return out
}

function validateKept(
  name: "clusterIPs" | "ipFamilies",
  one: string,
  spec: ServiceSpec,
  was: ServiceSpec,
): FieldError[] {
  const now = spec[name] ?? []
  const before = was[name] ?? []
  const out: FieldError[] = []
  if (before.length === 0) return out
  const path = `spec.${name}`
  if (now.length === 0) {
    out.push(
      field.invalid(
        `${path}[0]`,
        now,
        `primary ${one === "ipFamily" ? "ipFamily" : "clusterIP"} can not be unset`,
      ),
    )
    return out
  }
  if (now[0] !== before[0]) out.push(field.invalid(`${path}[0]`, now, "may not change once set"))
  if (before.length > 1 && now.length > 1 && now[1] !== before[1])
    out.push(field.invalid(`${path}[1]`, now, "may not change once set"))
  if (before.length > 1 && now.length === 1 && spec.ipFamilyPolicy !== "SingleStack")
    out.push(
      field.invalid(
        "spec.ipFamilyPolicy",
        spec.ipFamilyPolicy,
        `must be set to 'SingleStack' when releasing the secondary ${one === "ipFamily" ? "ipFamily" : "clusterIP"}`,
      ),
    )
  return out
}

export function validateServiceStatusUpdate(
  { spec, status }: Readonly<Service>,
  old: Readonly<Service>,
): FieldError[] {
  const path = "status.loadBalancer.ingress"
  const ingresses = status.loadBalancer?.ingress ?? []
  if (spec.type !== "LoadBalancer" && ingresses.length > 0)
    return [field.forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")]
  const before = (old.status.loadBalancer?.ingress ?? []).map(({ ip }) => ip ?? "")
  const out: FieldError[] = []
  ingresses.forEach(({ ip, ipMode, hostname }, i) => {
    const at = `${path}[${i}]`
    if (ip) out.push(...validateLegacyIP(`${at}.ip`, ip, true, before))
    if (ipMode === undefined) {
      if (ip) out.push(field.required(`${at}.ipMode`, "must be specified when `ip` is set"))
    } else if (!ip) out.push(field.forbidden(`${at}.ipMode`, "may not be specified when `ip` is not set"))
    else if (ipMode !== "Proxy" && ipMode !== "VIP")
      out.push(field.notSupported(`${at}.ipMode`, ipMode, ["Proxy", "VIP"]))
    if (hostname) {
      out.push(...reasons(`${at}.hostname`, hostname, isDNS1123Subdomain(hostname)))
      if (parseIP(hostname))
        out.push(field.invalid(`${at}.hostname`, hostname, "must be a DNS name, not an IP address"))
    }
  })
  return out
}
