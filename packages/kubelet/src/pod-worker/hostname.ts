/**
 * A pod's host name and its /etc/hosts.
 * Mirrors: pkg/kubelet/kubelet_pods.go (GeneratePodHostNameAndDomain, ensureHostsFile)
 */
import {
  joined,
  line,
  readAddress,
  readHostName,
  type HostNameText,
  type HostText,
} from "@knarr/apimachinery"
import type { Pod } from "@knarr/api"

const maxHostnameLength = 64

/** The name inside the pod, and the domain that goes with it ("" when there is none). */
function podHostname(pod: Readonly<Pod>, clusterDomain: string): { hostname: string; domain: string } {
  const { spec, metadata } = pod
  if (spec.hostnameOverride) return { hostname: spec.hostnameOverride, domain: "" }
  let hostname = spec.hostname || metadata.name
  if (!spec.hostname && hostname.length > 63) hostname = hostname.slice(0, 63).replace(/[-.]+$/, "")
  const domain = spec.subdomain ? `${spec.subdomain}.${metadata.namespace}.svc.${clusterDomain}` : ""
  return { hostname, domain }
}

/** The name that the kernel gets: with its domain when the pod asks for that. Throws when it is too long. */
export function kernelHostname(pod: Readonly<Pod>, clusterDomain: string): string {
  const { hostname, domain } = podHostname(pod, clusterDomain)
  if (pod.spec.setHostnameAsFQDN !== true || domain === "") return hostname
  const full = `${hostname}.${domain}`
  if (full.length > maxHostnameLength)
    throw new Error(
      `failed to construct FQDN from pod hostname and cluster domain, FQDN ${full} is too long (${maxHostnameLength} characters is the max, ${full.length} characters requested)`,
    )
  return full
}

/**
 * The text of /etc/hosts. `hostText` is the node's own, for pods on its network. What is no address or no name gets
 * no entry: the kubelet writes this file for manifests that no API server has checked, too.
 */
export function hostsFile(
  pod: Readonly<Pod>,
  podIPs: readonly string[],
  clusterDomain: string,
  hostText: string,
): string {
  const { hostname, domain } = podHostname(pod, clusterDomain)
  let out: string
  if (pod.spec.hostNetwork) out = `# Kubernetes-managed hosts file (host network).\n${hostText}`
  else {
    out =
      "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n" +
      "fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n"
    const names = domain === "" ? [hostname] : [`${hostname}.${domain}`, hostname]
    for (const ip of podIPs) out += hostsEntry(ip, names)
  }
  const aliases = pod.spec.hostAliases ?? []
  if (aliases.length === 0) return out
  out += "\n# Entries added by HostAliases.\n"
  for (const { ip, hostnames = [] } of aliases) out += hostsEntry(ip, hostnames)
  return out
}

/** One line of a hosts file, or nothing. */
function hostsEntry(ip: string, hostnames: readonly string[]): HostText {
  const address = readAddress(ip)
  const names = hostnames.map(readHostName).filter((name): name is HostNameText => name !== undefined)
  if (address === undefined || names.length === 0) return line``
  return line`${address}\t${joined(names, "\t")}\n`
}
