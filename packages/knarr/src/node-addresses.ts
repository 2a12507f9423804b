/** Addresses of the cluster's services that a node answers or routes itself. */
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { nodeBridge } from "@knarr/pod-network"
import type { ClusterConfig } from "./cluster-home.ts"
import type { LocalNode } from "./node-names.ts"

const run = promisify(execFile)

/** Puts an address on the loopback interface: what goes to it from the node or its pods is answered here. */
export async function addServiceAddress(address: string, signal: AbortSignal): Promise<void> {
  await run("ip", ["address", "replace", `${address}/32`, "dev", "lo"], { signal })
}

/** The node's own processes reach services by a route, whether or not the machine has a default one. */
export async function serviceRoute(
  cidr: string,
  node: LocalNode,
  config: Pick<ClusterConfig, "name" | "index">,
  signal: AbortSignal,
): Promise<void> {
  const device = node.number === 0 ? nodeBridge(config) : "eth0"
  await run("ip", ["route", "replace", cidr, "dev", device, "src", node.address], { signal })
}

/** Takes the address away again. It is no error when it is not there. */
export async function removeServiceAddress(address: string, signal: AbortSignal): Promise<void> {
  await run("ip", ["address", "delete", `${address}/32`, "dev", "lo"], { signal }).catch(() =>
    signal.throwIfAborted(),
  )
}
