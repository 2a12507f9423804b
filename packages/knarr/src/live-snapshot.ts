/**
 * Snapshots of a store that a running server has open: the server writes one into its cluster's folder when `knarr snapshot save`
 * asks for it, and the command takes it from there. Whoever asks never says where a file is written.
 */
import { randomBytes } from "node:crypto"
import { constants } from "node:fs"
import { copyFile, readdir, rename, rm } from "node:fs/promises"
import { join } from "node:path"
import { internalError, tooManyRequests } from "@knarr/apimachinery"
import type { PathHandler } from "@knarr/apiserver"
import { asError, uuid, type Random } from "@knarr/base"
import { createTransport, readKubeconfig, resolveContext } from "@knarr/client"
import { saveSnapshot, type EmbeddedStore } from "@knarr/store"
import { whyNot, type ClusterHome } from "./cluster-home.ts"
import { savingTo } from "./snapshot-target.ts"

/** A path of the API server, for those who may `post` to it. */
export const snapshotPath = "/knarr/snapshot"

const prefix = "snapshot-"

interface Made {
  readonly file: string
  readonly revision: number
}

/** What the server answers at {@link snapshotPath}: one snapshot at a time. */
export function liveSnapshots(store: EmbeddedStore, cluster: ClusterHome, random: Random): PathHandler {
  let busy = false
  return async (exchange) => {
    if (exchange.method !== "POST") {
      exchange.setHeader("Allow", "POST")
      return exchange.respond(405, "text/plain; charset=utf-8", "Method Not Allowed\n")
    }
    if (busy) throw tooManyRequests("a snapshot is being saved", 1)
    busy = true
    try {
      await sweepSnapshots(cluster)
      const file = join(cluster.dir, `${prefix}${uuid(random)}`)
      const { revision } = await saved(store, file)
      const made: Made = { file, revision }
      exchange.respond(200, "application/json", JSON.stringify(made))
    } finally {
      busy = false
    }
  }
}

/** Removes what nobody took: at the server's start, and when the next one is asked for. */
export async function sweepSnapshots(cluster: ClusterHome): Promise<void> {
  for (const name of await readdir(cluster.dir))
    if (name.startsWith(prefix)) await rm(join(cluster.dir, name), { force: true })
}

/** Has the cluster's server, which runs, write its state to `file`. Rejects with what the server says. */
export async function saveLiveSnapshot(
  cluster: ClusterHome,
  file: string,
  signal: AbortSignal,
): Promise<{ readonly revision: number }> {
  const { transport: to } = resolveContext(await readKubeconfig(cluster.kubeconfig))
  using transport = createTransport(to)
  const response = await transport.request({ method: "POST", path: snapshotPath, signal })
  const text = String(await response.buffer())
  if (response.status !== 200)
    throw new Error(`Cannot save a snapshot: the server answered ${response.status}: ${messageIn(text)}`)
  const made = JSON.parse(text) as Made
  await savingTo(file, () => move(made.file, file))
  return { revision: made.revision }
}

async function saved(store: EmbeddedStore, file: string): Promise<{ readonly revision: number }> {
  try {
    return await saveSnapshot(store, file)
  } catch (thrown) {
    throw internalError(
      new Error(`cannot write it into the cluster's folder: ${whyNot(thrown)}`, { cause: thrown }),
    )
  }
}

/** That of a Status, or else all of it. */
function messageIn(text: string): string {
  try {
    return (JSON.parse(text) as { readonly message?: string }).message ?? text
  } catch {
    return text
  }
}

/** Also to another file system; `to` appears only when it is whole. */
async function move(from: string, to: string): Promise<void> {
  try {
    await rename(from, to)
  } catch (thrown) {
    if ((asError(thrown) as NodeJS.ErrnoException).code !== "EXDEV") throw thrown
    // Beside it and of a name that nobody can have waiting, with a file or a link of their own.
    const part = `${to}.${randomBytes(8).toString("hex")}.part`
    try {
      await copyFile(from, part, constants.COPYFILE_EXCL)
      await rename(part, to)
    } finally {
      await rm(part, { force: true })
      await rm(from, { force: true })
    }
  }
}
