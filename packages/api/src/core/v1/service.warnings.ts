/** What users should know about a service that is accepted. Mirrors: pkg/api/service/warnings.go */
import { warningsForCIDR, warningsForIP } from "@knarr/apimachinery"
import { isHeadless } from "./service.validate.ts"
import type { Service } from "./types.gen.ts"

const oldHints = "service.kubernetes.io/topology-aware-hints"
const topologyMode = "service.kubernetes.io/topology-mode"

export function serviceWarnings({ metadata, spec }: Readonly<Service>): string[] {
  const out: string[] = []
  if (metadata.annotations?.[oldHints] !== undefined)
    out.push(`annotation ${oldHints} is deprecated, please use ${topologyMode} instead`)
  const external = spec.externalIPs ?? []
  const isName = spec.type === "ExternalName"
  const headless = isHeadless(spec) && (spec.type ?? "ClusterIP") === "ClusterIP"
  if (spec.clusterIP && spec.clusterIP !== "None")
    for (const [i, ip] of (spec.clusterIPs ?? []).entries())
      out.push(...warningsForIP(`spec.clusterIPs[${i}]`, ip))
  if (headless) {
    if (spec.loadBalancerIP) out.push("spec.loadBalancerIP is ignored for headless services")
    if (external.length > 0) out.push("spec.externalIPs is ignored for headless services")
    if ((spec.sessionAffinity ?? "None") !== "None")
      out.push("spec.SessionAffinity is ignored for headless services")
  }
  for (const [i, ip] of external.entries()) out.push(...warningsForIP(`spec.externalIPs[${i}]`, ip))
  if (external.length > 0 && !headless && !isName)
    out.push("spec.externalIPs is deprecated and may no longer be implemented in some clusters")
  if (spec.loadBalancerIP) out.push(...warningsForIP("spec.loadBalancerIP", spec.loadBalancerIP))
  for (const [i, range] of (spec.loadBalancerSourceRanges ?? []).entries())
    out.push(...warningsForCIDR(`spec.loadBalancerSourceRanges[${i}]`, range.trim()))
  if (isName && external.length > 0) out.push('spec.externalIPs is ignored when spec.type is "ExternalName"')
  if (!isName && spec.externalName)
    out.push('spec.externalName is ignored when spec.type is not "ExternalName"')
  if (spec.trafficDistribution === "PreferClose")
    out.push('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"')
  return out
}
