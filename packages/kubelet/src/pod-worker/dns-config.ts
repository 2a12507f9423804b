/**
 * What goes into a pod's resolv.conf.
 * Mirrors: pkg/kubelet/network/dns/dns.go
 */
import { readAddress } from "@knarr/apimachinery"
import type { Pod } from "@knarr/api"

export interface DnsConfig {
  servers: string[]
  searches: string[]
  options: string[]
}

export interface DnsOptions {
  readonly clusterDNS: readonly string[]
  /** For example `cluster.local`; empty: no search domains of the cluster. */
  readonly clusterDomain: string
  /** The text of the node's resolv.conf. */
  readonly hostResolvConf: string
}

const maxServers = 3
const maxSearches = 32
const maxSearchLength = 2048

/** The configuration, and what was cut off it (for the event `DNSConfigForming`). */
export function podDns(
  pod: Readonly<Pod>,
  { clusterDNS, clusterDomain, hostResolvConf }: DnsOptions,
): { config: DnsConfig; warning?: string; missingClusterDns: boolean } {
  const host = parseResolvConf(hostResolvConf)
  const { spec } = pod
  let policy = spec.dnsPolicy ?? "ClusterFirst"
  if (policy === "ClusterFirst" && spec.hostNetwork) policy = "Default"
  if (policy === "ClusterFirstWithHostNet") policy = "ClusterFirst"
  const missingClusterDns = policy === "ClusterFirst" && clusterDNS.length === 0
  let config: DnsConfig
  if (policy === "None") config = { servers: [], searches: [], options: [] }
  else if (policy === "ClusterFirst" && !missingClusterDns) {
    const own =
      clusterDomain === ""
        ? []
        : [`${pod.metadata.namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain]
    config = { servers: [...clusterDNS], searches: unique([...own, ...host.searches]), options: ["ndots:5"] }
  } else config = host
  const more = spec.dnsConfig
  if (more) {
    config = {
      servers: unique([...config.servers, ...(more.nameservers ?? []).filter(isAddress)]),
      searches: unique([...config.searches, ...(more.searches ?? []).filter(isWord)]),
      options: mergeOptions(config.options, more.options ?? []).filter(isWord),
    }
  }
  return { ...fitLimits(config), missingClusterDns }
}

function isAddress(text: string): boolean {
  return readAddress(text) !== undefined
}

/** Whether the text stays one word of its line. */
function isWord(text: string): boolean {
  return /^[^\s\0]+$/.test(text)
}

function fitLimits(config: DnsConfig): { config: DnsConfig; warning?: string } {
  const warnings: string[] = []
  const out = { ...config }
  if (out.servers.length > maxServers) {
    out.servers = out.servers.slice(0, maxServers)
    warnings.push(
      `Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: ${out.servers.join(" ")}`,
    )
  }
  const before = out.searches.length
  out.searches = out.searches.filter((domain) => domain.length <= 255).slice(0, maxSearches)
  while (out.searches.join(" ").length > maxSearchLength) out.searches.pop()
  if (out.searches.length < before)
    warnings.push(
      `Search Line limits were exceeded, some search paths have been omitted, the applied search line is: ${out.searches.join(" ")}`,
    )
  return warnings.length > 0 ? { config: out, warning: warnings.join("; ") } : { config: out }
}

function mergeOptions(
  options: readonly string[],
  more: readonly { name?: string | undefined; value?: string | undefined }[],
): string[] {
  const merged = new Map<string, string>()
  for (const option of options) {
    const colon = option.indexOf(":")
    if (colon < 0) merged.set(option, "")
    else merged.set(option.slice(0, colon), option.slice(colon + 1))
  }
  for (const { name = "", value } of more) merged.set(name, value ?? "")
  return [...merged].map(([name, value]) => (value === "" ? name : `${name}:${value}`))
}

function parseResolvConf(text: string): DnsConfig {
  const out: DnsConfig = { servers: [], searches: [], options: [] }
  for (const line of text.split("\n")) {
    if (line.startsWith("#") || line.startsWith(";")) continue
    const [keyword, ...fields] = line.trim().split(/\s+/)
    if (keyword === "nameserver" && fields[0]) out.servers.push(fields[0])
    else if (keyword === "search")
      out.searches = fields.map((field) => (field === "." ? field : field.replace(/\.$/, "")))
    else if (keyword === "options") out.options.push(...fields)
  }
  return out
}

function unique(items: readonly string[]): string[] {
  return [...new Set(items)]
}
