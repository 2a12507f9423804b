/** The node's CNI configuration: pods on a bridge, addresses by host-local. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { LinkName, NetworkText } from "@knarr/apimachinery"

export interface CniConfig {
  /** The folder that the runtime watches. */
  readonly dir: string
  /** The bridge of this node's pods; made by the first pod. */
  readonly bridge: LinkName
  /** The node's ranges of pod addresses, one of each family that pods have; the first address of each is the bridge's. */
  readonly podCIDRs: readonly NetworkText[]
  /** Default: the kernel's (1500). */
  readonly mtu?: number
  /** Where host-local remembers what it gave out; default /var/lib/cni/networks. */
  readonly ipamDir?: string
  /** Whether the portmap plugin serves hostPorts. It needs iptables; default false: the service proxy does it. */
  readonly portmap?: boolean
}

const file = "10-knarr.conflist"

/** The configuration's text. */
export function cniConflist(config: CniConfig): string {
  const { bridge, podCIDRs, mtu, ipamDir, portmap } = config
  const plugins: unknown[] = [
    {
      type: "bridge",
      bridge,
      isGateway: true,
      isDefaultGateway: true,
      // Masquerading is ours: it must spare what goes to other nodes' pods.
      ipMasq: false,
      // A pod may reach itself through a Service.
      hairpinMode: true,
      ...(mtu === undefined ? {} : { mtu }),
      ipam: {
        type: "host-local",
        ranges: podCIDRs.map((subnet) => [{ subnet }]),
        ...(ipamDir === undefined ? {} : { dataDir: ipamDir }),
      },
    },
  ]
  if (portmap) plugins.push({ type: "portmap", capabilities: { portMappings: true }, snat: true })
  return `${JSON.stringify({ cniVersion: "0.4.0", name: "knarr", plugins }, undefined, 2)}\n`
}

/** Writes the configuration, in one step and only when it differs. Returns whether it did. */
export function writeCniConfig(config: CniConfig): boolean {
  const path = join(config.dir, file)
  const text = cniConflist(config)
  mkdirSync(config.dir, { recursive: true })
  try {
    if (readFileSync(path, "utf8") === text) return false
  } catch {
    // There is none yet.
  }
  // The runtime reads whatever ends in .conflist, so the draft does not.
  const draft = join(config.dir, `.${file}.new`)
  writeFileSync(draft, text)
  renameSync(draft, path)
  return true
}
