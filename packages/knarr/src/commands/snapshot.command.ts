/** `knarr snapshot save` and `knarr snapshot restore`: a cluster's state in a file, and a cluster from such a file. */
import { existsSync } from "node:fs"
import { kinds } from "@knarr/api"
import { moveObjects } from "@knarr/apiserver"
import { Meter, silentLogger, type Env } from "@knarr/base"
import {
  isEtcdSnapshot,
  openEmbeddedStore,
  openEtcdStore,
  readEtcdSnapshot,
  restoreSnapshot,
  saveEtcdSnapshot,
  saveSnapshot,
} from "@knarr/store"
import { etcdOptions } from "../api-server-flags/etcd.flags.ts"
import { UsageError, type ClusterHome } from "../cluster-home.ts"
import { saveLiveSnapshot } from "../live-snapshot.ts"
import { runningPid } from "../pid-file.ts"
import { clusterFlags, existingCluster } from "./cluster-flags.ts"
import { defineCommand, type CommandContext } from "./command.ts"

export function storeEnv(ctx: CommandContext): Env {
  return { clock: ctx.clock, random: ctx.random, log: silentLogger, meter: new Meter() }
}

/** Whether the cluster's server has its store open. */
function isRunning(cluster: ClusterHome): boolean {
  return runningPid(cluster.pidFile("server")) !== undefined
}

/** Throws while it has. */
export function refuseRunning(cluster: ClusterHome): void {
  if (isRunning(cluster))
    throw new UsageError(`the cluster "${cluster.name}" is running; stop it first with "knarr down"`)
}

export const snapshotSave = defineCommand({
  name: "snapshot save",
  usage: "[--name NAME] [--home DIR] FILE",
  summary: "Write a cluster's state to a file, whether it runs or not",
  flags: clusterFlags,
  positionals: ["FILE"],
  async run({ flags, positionals: [file] }, ctx) {
    const { cluster, config } = existingCluster(flags, ctx)
    const env = storeEnv(ctx)
    const etcd = etcdOptions(config.apiServer ?? {})
    if (etcd) {
      const { bytes } = await saveEtcdSnapshot({ ...etcd, env }, file!, ctx.signal)
      ctx.print(`Saved ${bytes} bytes of etcd to ${file}\n`)
      return 0
    }
    const { revision } = isRunning(cluster)
      ? await saveLiveSnapshot(cluster, file!, ctx.signal)
      : await saveStopped(cluster, file!, env)
    ctx.print(`Saved revision ${revision} to ${file}\n`)
    return 0
  },
})

async function saveStopped(
  cluster: ClusterHome,
  file: string,
  env: Env,
): Promise<{ readonly revision: number }> {
  await using store = await openEmbeddedStore({ dir: cluster.store, env, mustExist: true })
  return await saveSnapshot(store, file)
}

export const snapshotRestore = defineCommand({
  name: "snapshot restore",
  usage: "[--name NAME] [--home DIR] FILE",
  summary: "Give a stopped cluster without a state that of a snapshot, also of one that etcd made",
  flags: clusterFlags,
  positionals: ["FILE"],
  async run({ flags, positionals: [file] }, ctx) {
    const { cluster, config } = existingCluster(flags, ctx)
    refuseRunning(cluster)
    if (!existsSync(file!)) throw new UsageError(`open ${file}: no such file or directory`)
    const env = storeEnv(ctx)
    const etcd = etcdOptions(config.apiServer ?? {})
    const isEtcds = await isEtcdSnapshot(file!)
    if (!isEtcds) {
      if (etcd)
        throw new UsageError(`${file} is a snapshot of an embedded store; migrate it when it is restored`)
      const { revision } = await restoreSnapshot(file!, cluster.store)
      ctx.print(`Restored revision ${revision}\n`)
      return 0
    }
    await using store = etcd
      ? await openEtcdStore({ ...etcd, env })
      : await openEmbeddedStore({ dir: cluster.store, env })
    const { moved } = await moveObjects({
      from: readEtcdSnapshot(file!, etcd?.prefix),
      to: store,
      format: etcd ? "shared" : "stamped",
      kinds,
      clock: env.clock,
    })
    ctx.print(`Restored ${moved} objects\n`)
    return 0
  },
})
