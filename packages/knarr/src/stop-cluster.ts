/** Ends a cluster's processes and takes its network apart. */
import { globSync } from "node:fs"
import { basename, join } from "node:path"
import { ipv4 } from "@knarr/apimachinery"
import type { Env } from "@knarr/base"
import { createLinuxMachine, mountsAt, stopContainerd, unmountBelow } from "@knarr/kubelet"
import { removeNodeNetwork } from "@knarr/pod-network"
import { removeServiceProxy } from "@knarr/proxy"
import { createLinuxVolumeHost } from "@knarr/volume"
import type { ClusterConfig, ClusterHome, ClusterRanges } from "./cluster-home.ts"
import { removeServiceAddresses } from "./node/node-addresses.ts"
import { cgroupRoot, networkOf, nodeContainerd, nodesOf } from "./node-names.ts"
import { proxyTable } from "./node/proxy-settings.ts"
import { isRunning, runningProcess } from "./pid-file.ts"
import { processesOf } from "./process-state.ts"
import { stopProcess } from "./supervisor.ts"

/** In this time an `up` has stopped processes and containers again. */
const interruptLimitMs = 60_000
const interruptPollMs = 20

type Context = Env & { readonly signal: AbortSignal }

/**
 * Ends an `up` that starts the cluster at this moment: it takes back what it started, and says so. Nothing when there
 * is none.
 */
export async function interruptStart(cluster: ClusterHome, { clock, signal }: Context): Promise<void> {
  const starting = runningProcess(cluster.upFile)
  if (!starting) return
  process.kill(starting.pid, "SIGTERM")
  for (const begun = clock.monotonic(); isRunning(starting);) {
    if (clock.monotonic() - begun > interruptLimitMs) process.kill(starting.pid, "SIGKILL")
    await clock.sleep(interruptPollMs, signal)
  }
}

/** Stops servers, agents, containers and runtimes. True when something was running. */
export async function stopCluster(
  cluster: ClusterHome,
  config: ClusterConfig,
  ctx: Context,
  options: { readonly keepState: boolean },
): Promise<boolean> {
  const stopped = await Promise.all(
    processesOf(config).map((name) => stopProcess(cluster, name, ctx.clock, ctx.signal)),
  )
  await Promise.all(
    nodesOf(config).map(({ node }) =>
      stopContainerd({ ...nodeContainerd(cluster, config, node), ...options, env: ctx }, ctx.signal),
    ),
  )
  return stopped.includes(true)
}

/** Removes bridges, namespaces, addresses, routes and rules: all that has the cluster's number. Idempotent. */
export async function removeClusterNetwork(
  config: Pick<ClusterConfig, "index"> & ClusterRanges,
  { signal }: Pick<Context, "signal">,
): Promise<void> {
  await removeServiceProxy(ipv4, proxyTable(config), signal)
  await removeServiceAddresses(config, signal)
  await removeNodeNetwork(networkOf(config), signal)
}

/**
 * Unmounts the volumes of pods in a cluster's folder, which must not keep the folder, nor lose what they lead to. A disk that
 * somebody mounted there for the folder, or for the store in it, is theirs: without it the next start would find nothing.
 */
export async function unmountVolumes(clusterDir: string, signal: AbortSignal): Promise<void> {
  await unmountBelow([join(clusterDir, "nodes")], signal)
}

/** What somebody has mounted for a cluster's folder or in it; not what its pods have. */
export async function disksIn({ dir }: Pick<ClusterHome, "dir">): Promise<string[]> {
  const nodes = join(dir, "nodes")
  return (await mountsAt(dir)).filter((path) => path !== nodes && !path.startsWith(`${nodes}/`))
}

/** Removes what a stopped cluster has in the kernel: mounts, network and cgroups. Idempotent. */
export async function clearMachine(cluster: ClusterHome, config: ClusterConfig, ctx: Context): Promise<void> {
  await unmountVolumes(cluster.dir, ctx.signal)
  await removeClusterNetwork(config, ctx)
  for (const node of nodesOf(config)) {
    const machine = createLinuxMachine({ clock: ctx.clock, rootDir: cluster.node(node.node) })
    await machine.pods.removeCgroup(cgroupRoot(config, node))
  }
}

/** Removes the files that the nodes' pods left. */
export async function removeNodes(cluster: ClusterHome, config: ClusterConfig, ctx: Context): Promise<void> {
  const volumes = createLinuxVolumeHost({ clock: ctx.clock })
  for (const { node } of nodesOf(config)) await volumes.removeTree(cluster.node(node), ctx.signal)
}

/** Removes all that has a number whose cluster is gone, and the mounts below its folder if that is known. */
export async function sweepNumber(
  gone: ClusterRanges & { readonly index: number; readonly dir?: string },
  ctx: Pick<Context, "clock" | "signal">,
): Promise<void> {
  if (gone.dir !== undefined) await unmountVolumes(gone.dir, ctx.signal)
  await removeClusterNetwork(gone, ctx)
  const { pods } = createLinuxMachine({ clock: ctx.clock, rootDir: "/" })
  for (const path of globSync(`/sys/fs/cgroup/{,*/}knarr-${gone.index}-*`))
    await pods.removeCgroup(`/${basename(path)}`)
}
