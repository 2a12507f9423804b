/** Host routes to the other nodes' pods: `podCIDR via node`. Ours are told from others by their protocol number. */
import {
  ipv4,
  line,
  type AddressText,
  type HostText,
  type IPFamily,
  type NetworkText,
} from "@knarr/apimachinery"
import { ipBatch, runHostCommand, type FailedCommand } from "./host-command.ts"

/** Both of one family. */
export interface NodeRoute {
  /** The range of the node's pods. */
  readonly podCIDR: NetworkText
  /** The node's InternalIP, on a link of ours. */
  readonly via: AddressText
}

/** The number in `ip route … proto`; see /etc/iproute2/rt_protos for those of others. */
export const routeProtocol = 89

/** The `ip` commands that turn `present` into `wanted`. */
export function planRoutes(present: readonly NodeRoute[], wanted: readonly NodeRoute[]): HostText[] {
  const key = ({ podCIDR, via }: NodeRoute): HostText => line`${podCIDR} via ${via}`
  const have = new Set<string>(present.map(key))
  const ranges = new Set(wanted.map(({ podCIDR }) => podCIDR))
  const stale = present.filter(({ podCIDR }) => !ranges.has(podCIDR))
  const missing = wanted.filter((route) => !have.has(key(route)))
  return [
    ...stale.map((route) => line`route delete ${key(route)} proto ${routeProtocol}`),
    ...missing.map((route) => line`route replace ${key(route)} proto ${routeProtocol}`),
  ]
}

/** Our routes of a family in the kernel. */
export async function readRoutes(family: IPFamily, signal: AbortSignal): Promise<NodeRoute[]> {
  const [option, wholePrefix] = family === ipv4 ? ["-4", 32] : ["-6", 128]
  const args = ["-j", option, "route", "show", "proto", String(routeProtocol)]
  const text = await runHostCommand("ip", args, { signal })
  const rows = JSON.parse(text.trim() || "[]") as { dst: string; gateway?: string }[]
  return rows.flatMap(({ dst, gateway }) => {
    const podCIDR = family.readNetwork(dst.includes("/") ? dst : `${dst}/${wholePrefix}`)
    const via = family.readAddress(gateway ?? "")
    return podCIDR === undefined || via === undefined ? [] : [{ podCIDR, via }]
  })
}

/**
 * Makes our routes of the family exactly `nodes`. `within` keeps the routes of another cluster on this machine out of it: only
 * those that it accepts are looked at. One that the kernel refuses stops no other. Answers how many commands were
 * given, and those that failed.
 */
export async function syncRoutes(
  family: IPFamily,
  nodes: readonly NodeRoute[],
  within: (route: NodeRoute) => boolean,
  signal: AbortSignal,
): Promise<{ readonly count: number; readonly failed: readonly FailedCommand[] }> {
  const present = (await readRoutes(family, signal)).filter(within)
  const commands = planRoutes(present, nodes)
  return { count: commands.length, failed: await ipBatch(commands, signal, { carryOn: true }) }
}
