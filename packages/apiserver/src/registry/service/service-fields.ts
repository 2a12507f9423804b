/** Fields of a Service that depend on one another: addresses and families. Mirrors: pkg/registry/core/service/storage/{storage,alloc}.go */
import { field, type FieldError, invalid, isValidIP } from "@knarr/apimachinery"
import { validateClusterIPs, type Service, type ServiceSpec } from "@knarr/api"

type Family = "IPv4" | "IPv6"

function familyOf(ip: string): Family {
  return ip.includes(":") ? "IPv6" : "IPv4"
}

function sameList(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  const x = a ?? []
  const y = b ?? []
  return x.length === y.length && x.every((value, i) => value === y[i])
}

/** `clusterIP` and `clusterIPs` say the same; the one that the writer changed wins. */
export function normalizeClusterIPs({ spec }: Service, old: Readonly<Service> | undefined): void {
  if (!old) {
    if (spec.clusterIP && !spec.clusterIPs?.length) spec.clusterIPs = [spec.clusterIP]
    return
  }
  if ((spec.clusterIP ?? "") !== (old.spec.clusterIP ?? "")) {
    if (!sameList(spec.clusterIPs, old.spec.clusterIPs)) return
    if (spec.clusterIP) spec.clusterIPs = [spec.clusterIP]
    else delete spec.clusterIPs
  } else if (!sameList(spec.clusterIPs, old.spec.clusterIPs)) {
    if (!spec.clusterIPs?.length) delete spec.clusterIP
  }
}

function takesClusterIP(spec: Readonly<ServiceSpec>): boolean {
  return spec.type !== "ExternalName"
}

/** What the client left out of an update and the server had given stays as it is. */
export function patchAllocatedValues({ spec }: Service, old: Readonly<Service>): void {
  const before = old.spec
  if (takesClusterIP(before) && takesClusterIP(spec)) {
    if (!spec.clusterIP && before.clusterIP) spec.clusterIP = before.clusterIP
    if (!spec.clusterIPs?.length && spec.clusterIP === before.clusterIP && before.clusterIPs) {
      spec.clusterIPs = [...before.clusterIPs]
    }
  }
  const hasPorts = (type: string | undefined): boolean => type === "NodePort" || type === "LoadBalancer"
  if (hasPorts(before.type) && hasPorts(spec.type)) {
    const used = new Set(
      (spec.ports ?? []).filter((p) => p.nodePort).map((p) => `${p.protocol}/${p.nodePort}`),
    )
    const known = new Map((before.ports ?? []).map((p) => [`${p.protocol}/${p.port}`, p.nodePort]))
    for (const port of spec.ports ?? []) {
      if (port.nodePort) continue
      const had = known.get(`${port.protocol}/${port.port}`)
      if (had && !used.has(`${port.protocol}/${had}`)) {
        port.nodePort = had
        used.add(`${port.protocol}/${had}`)
      }
    }
  }
  const checked = (s: Readonly<ServiceSpec>): boolean =>
    s.type === "LoadBalancer" && s.externalTrafficPolicy === "Local"
  if (checked(before) && checked(spec) && !spec.healthCheckNodePort && before.healthCheckNodePort) {
    spec.healthCheckNodePort = before.healthCheckNodePort
  }
  if (before.type !== "ExternalName" && spec.type === "ExternalName") {
    // What the server had given goes when the type no longer has it.
    if (spec.internalTrafficPolicy === before.internalTrafficPolicy) delete spec.internalTrafficPolicy
    if (spec.clusterIP === before.clusterIP) delete spec.clusterIP
    if (sameList(spec.clusterIPs, before.clusterIPs)) delete spec.clusterIPs
  }
  if (hasPorts(before.type) && !hasPorts(spec.type)) {
    const had = new Map((before.ports ?? []).map((p) => [`${p.protocol}/${p.port}`, p.nodePort]))
    if (spec.externalTrafficPolicy === before.externalTrafficPolicy && !spec.externalIPs?.length) {
      delete spec.externalTrafficPolicy
    }
    for (const port of spec.ports ?? []) {
      if (port.nodePort && had.get(`${port.protocol}/${port.port}`) === port.nodePort) delete port.nodePort
    }
  }
}

/** What only a load balancer has goes with it, unless the writer has just set it. */
export function dropLoadBalancerFields({ spec }: Service, old: Readonly<Service>): void {
  const before = old.spec
  if (before.type !== "LoadBalancer" || spec.type === "LoadBalancer") return
  if (spec.allocateLoadBalancerNodePorts === before.allocateLoadBalancerNodePorts) {
    delete spec.allocateLoadBalancerNodePorts
  }
  if (spec.loadBalancerClass === before.loadBalancerClass) delete spec.loadBalancerClass
}

/** Families and their policy, from what is wanted, what addresses say and what the cluster has. Throws 422. */
export function setIPFamilies(
  service: Service,
  old: Readonly<Service> | undefined,
  cluster: readonly Family[],
): void {
  const { spec } = service
  if (spec.type === "ExternalName") {
    if (!old || old.spec.type !== "ExternalName") {
      delete spec.ipFamilies
      delete spec.ipFamilyPolicy
    }
    return
  }
  const fail = (error: FieldError): never => {
    throw invalid({ group: "", kind: "Service" }, service.metadata.name, [error])
  }
  const problems = validateClusterIPs(spec, old)
  if (problems.length > 0) throw invalid({ group: "", kind: "Service" }, service.metadata.name, problems)
  const headless = spec.clusterIP === "None" || spec.clusterIPs?.[0] === "None"
  const selectorless = Object.keys(spec.selector ?? {}).length === 0
  if (old && old.spec.type !== "ExternalName") {
    spec.ipFamilyPolicy ??= old.spec.ipFamilyPolicy
    if (!spec.ipFamilies?.length) spec.ipFamilies = [...(old.spec.ipFamilies ?? [])]
  }
  if (headless && selectorless) {
    spec.ipFamilyPolicy ??= "RequireDualStack"
    if (!spec.ipFamilies?.length) spec.ipFamilies = [cluster[0]!]
    if (spec.ipFamilies.length < 2 && spec.ipFamilyPolicy !== "SingleStack") {
      spec.ipFamilies = [...spec.ipFamilies, spec.ipFamilies[0] === "IPv4" ? "IPv6" : "IPv4"]
    }
    return
  }
  const wanted = spec.clusterIPs ?? []
  spec.ipFamilyPolicy ??=
    wanted.length === 2 || spec.ipFamilies?.length === 2 ? "RequireDualStack" : "SingleStack"
  if (spec.ipFamilyPolicy === "RequireDualStack" && cluster.length < 2) {
    fail(
      field.invalid(
        "spec.ipFamilyPolicy",
        spec.ipFamilyPolicy,
        "this cluster is not configured for dual-stack services",
      ),
    )
  }
  const families = [...(spec.ipFamilies ?? [])] as Family[]
  for (const [i, family] of families.entries()) {
    if (!cluster.includes(family)) {
      fail(field.invalid(`spec.ipFamilies[${i}]`, family, "not configured on this cluster"))
    }
  }
  if (!headless) {
    for (const [i, ip] of wanted.entries()) {
      const reasons = isValidIP(ip)
      if (reasons.length > 0) fail(field.invalid(`spec.clusterIPs[${i}]`, ip, reasons.join("; ")))
      const family = familyOf(ip)
      if (i >= families.length) {
        if (!cluster.includes(family)) {
          fail(
            field.invalid(
              `spec.clusterIPs[${i}]`,
              spec.clusterIPs,
              `${family} is not configured on this cluster`,
            ),
          )
        }
        families.push(family)
      } else if (families[i] !== family) {
        fail(
          field.invalid(
            `spec.clusterIPs[${i}]`,
            ip,
            `expected an ${families[i]} value as indicated by \`spec.ipFamilies[${i}]\``,
          ),
        )
      }
    }
  }
  if (families.length === 0) families.push(cluster[0]!)
  if (spec.ipFamilyPolicy === "SingleStack") families.length = 1
  else if (families.length === 1 && cluster.length > 1) families.push(cluster.find((f) => f !== families[0])!)
  spec.ipFamilies = families
}
