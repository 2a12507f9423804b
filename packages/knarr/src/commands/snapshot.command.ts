/** `knarr snapshot save` and `knarr snapshot restore`: a cluster's state in a file, and a cluster from such a file. */
import { existsSync, renameSync, rmSync } from "node:fs"
import { join } from "node:path"
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
  type Store,
} from "@knarr/store"
import { etcdOptions } from "../api-server-flags/etcd.flags.ts"
import { UsageError, type ClusterHome } from "../cluster-home.ts"
import { saveLiveSnapshot } from "../live-snapshot.ts"
import { runningPid } from "../pid-file.ts"
import { savingTo, snapshotTarget } from "../snapshot-target.ts"
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
    const target = snapshotTarget(file!)
    const env = storeEnv(ctx)
    const etcd = etcdOptions(config.apiServer ?? {})
    if (etcd) {
      const { bytes } = await savingTo(file!, () => saveEtcdSnapshot({ ...etcd, env }, target, ctx.signal))
      ctx.print(`Saved ${bytes} bytes of etcd to ${file}\n`)
      return 0
    }
    const { revision } = isRunning(cluster)
      ? await saveLiveSnapshot(cluster, target, ctx.signal)
      : await saveStopped(cluster, target, env)
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
  return await savingTo(file, () => saveSnapshot(store, file))
}

export const snapshotRestore = defineCommand({
  name: "snapshot restore",
  usage: "[--name NAME] [--home DIR] [--replace] FILE",
  summary:
    "Give a stopped cluster the state of a snapshot, also of one that etcd made; --replace keeps the one that it has aside",
  flags: {
    ...clusterFlags,
    replace: { type: "boolean", help: "In place of the state that is there, which is kept aside." },
  },
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
      const { revision } = await intoStore(cluster, flags.replace === true, ctx, (dir) =>
        restoreSnapshot(file!, dir),
      )
      ctx.print(`Restored revision ${revision}\n`)
      return 0
    }
    if (etcd && flags.replace)
      throw new UsageError("--replace is of the cluster's own store, and its state is in etcd")
    const move = async (store: Store): Promise<{ readonly moved: number }> =>
      moveObjects({
        from: readEtcdSnapshot(file!, etcd?.prefix),
        to: store,
        format: etcd ? "shared" : "stamped",
        kinds,
        clock: env.clock,
      })
    const moveTo = async (opening: Promise<Store>): Promise<{ readonly moved: number }> => {
      await using store = await opening
      return await move(store)
    }
    const { moved } = etcd
      ? await moveTo(openEtcdStore({ ...etcd, env }))
      : await intoStore(cluster, flags.replace === true, ctx, (dir) =>
          moveTo(openEmbeddedStore({ dir, env })),
        )
    ctx.print(`Restored ${moved} objects\n`)
    return 0
  },
})

/** Has `restore` make the cluster's store; one that there is already keeps its place until then, and is kept aside afterwards. */
async function intoStore<T>(
  cluster: ClusterHome,
  replace: boolean,
  ctx: CommandContext,
  restore: (dir: string) => Promise<T>,
): Promise<T> {
  const { store } = cluster
  if (!existsSync(join(store, "data.mdb"))) return restore(store)
  if (!replace)
    throw new UsageError(
      `the cluster "${cluster.name}" has a store already: with --replace it is moved aside, to a folder of a name like "${asideOf(store, ctx)}"`,
    )
  const fresh = `${store}.restoring`
  rmSync(fresh, { recursive: true, force: true })
  try {
    const restored = await restore(fresh)
    const aside = asideOf(store, ctx)
    renameSync(store, aside)
    renameSync(fresh, store)
    ctx.print(`The store that was there is in ${aside}\n`)
    return restored
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
}

/** A name that nothing has yet, as no two moments are the same. */
function asideOf(store: string, { clock }: CommandContext): string {
  return `${store}.${new Date(clock.now()).toISOString().replaceAll(/[-:]/g, "").replace(".", "")}`
}
