/** Host routes to the other nodes' pods: `podCIDR via node`. Ours are told from others by their protocol number. */
import { ipBatch, runHostCommand } from "./host-command.ts"

export interface NodeRoute {
  /** The range of the node's pods. */
  readonly podCIDR: string
  /** The node's InternalIP, on a link of ours. */
  readonly via: string
}

/** The number in `ip route … proto`; see /etc/iproute2/rt_protos for those of others. */
export const routeProtocol = 89

/** The `ip` commands that turn `present` into `wanted`. */
export function planRoutes(present: readonly NodeRoute[], wanted: readonly NodeRoute[]): string[] {
  const key = ({ podCIDR, via }: NodeRoute): string => `${podCIDR} via ${via}`
  const have = new Set(present.map(key))
  const ranges = new Set(wanted.map(({ podCIDR }) => podCIDR))
  const stale = present.filter(({ podCIDR }) => !ranges.has(podCIDR))
  const missing = wanted.filter((route) => !have.has(key(route)))
  return [
    ...stale.map((route) => `route delete ${key(route)} proto ${routeProtocol}`),
    ...missing.map((route) => `route replace ${key(route)} proto ${routeProtocol}`),
  ]
}

/** Our routes in the kernel. */
export async function readRoutes(signal: AbortSignal): Promise<NodeRoute[]> {
  const args = ["-j", "-4", "route", "show", "proto", String(routeProtocol)]
  const text = await runHostCommand("ip", args, { signal })
  const rows = JSON.parse(text.trim() || "[]") as { dst: string; gateway?: string }[]
  return rows.flatMap(({ dst, gateway }) => {
    const podCIDR = dst.includes("/") ? dst : `${dst}/32`
    return gateway === undefined ? [] : [{ podCIDR, via: gateway }]
  })
}

/**
 * Makes our routes exactly `nodes`, and returns how many changed. `within` keeps the routes of another cluster
 * on this machine out of it: only those whose next hop it accepts are looked at.
 */
export async function syncRoutes(
  nodes: readonly NodeRoute[],
  within: (via: string) => boolean,
  signal: AbortSignal,
): Promise<number> {
  const present = (await readRoutes(signal)).filter(({ via }) => within(via))
  const commands = planRoutes(present, nodes)
  await ipBatch(commands, signal)
  return commands.length
}
