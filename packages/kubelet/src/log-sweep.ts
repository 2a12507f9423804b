/**
 * Removes what is left of logs when nobody was there to remove it with its pod: links that lead nowhere, and folders
 * of pods that are gone.
 * Mirrors: pkg/kubelet/kuberuntime/kuberuntime_gc.go (evictPodLogsDirectories)
 */
import { readdir, rm, stat } from "node:fs/promises"
import { join } from "node:path"
import { messageOf, type Env } from "@knarr/base"

export interface LogSweepOptions {
  readonly env: Env
  /** Of folders `namespace_name_uid`. */
  readonly podLogsDir: string
  /** Of links; empty: there are none. */
  readonly containerLogsDir: string
  /** Whether somebody still cares for the pod. */
  readonly isKnown: (podUid: string) => boolean
  /** Default 1 min. */
  readonly periodMs?: number
}

/** Looks now and then, until `signal` is aborted. To be started when every pod that is wanted is known. */
export async function sweepLogs(options: LogSweepOptions, signal: AbortSignal): Promise<void> {
  const { env, periodMs = 60_000 } = options
  for (;;) {
    try {
      await sweepLogsOnce(options)
    } catch (thrown) {
      env.log.warn("Cannot sweep logs", { err: messageOf(thrown) })
    }
    await env.clock.sleep(periodMs, signal)
  }
}

export async function sweepLogsOnce({
  podLogsDir,
  containerLogsDir,
  isKnown,
}: Omit<LogSweepOptions, "env" | "periodMs">): Promise<void> {
  for (const entry of await entriesOf(podLogsDir)) {
    const uid = /^[^_]+_[^_]+_([^_]+)$/.exec(entry.name)?.[1]
    if (entry.isDirectory() && uid !== undefined && !isKnown(uid))
      await rm(join(podLogsDir, entry.name), { recursive: true, force: true })
  }
  if (containerLogsDir === "") return
  for (const entry of await entriesOf(containerLogsDir)) {
    const path = join(containerLogsDir, entry.name)
    if (entry.isSymbolicLink() && !(await exists(path))) await rm(path, { force: true })
  }
}

async function entriesOf(dir: string): ReturnType<typeof readEntries> {
  try {
    return await readEntries(dir)
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return []
    throw thrown
  }
}

const readEntries = (dir: string) => readdir(dir, { withFileTypes: true })

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code !== "ENOENT"
  }
}
