/**
 * Rotates the logs of running containers once they are too long. Of each container the runtime writes one file;
 * the last one before it stays as it is, older ones are compressed.
 * Mirrors: pkg/kubelet/logs/container_log_manager.go
 */
import { createReadStream, createWriteStream } from "node:fs"
import { readdir, rename, rm, stat } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { pipeline } from "node:stream/promises"
import { createGzip } from "node:zlib"
import { formatTime } from "@knarr/apimachinery"
import { messageOf, type Env } from "@knarr/base"
import type { ContainerRuntime } from "./runtime/container-runtime.ts"

export interface LogRotationOptions {
  readonly env: Env
  readonly runtime: ContainerRuntime
  /** The containers that run. */
  readonly running: () => readonly { readonly id: string; readonly logPath: string }[]
  /** Default 10 MiB. */
  readonly maxBytes?: number
  /** Files per container, the current one included; default 5, at least 2. */
  readonly maxFiles?: number
  /** Default 10 s. */
  readonly periodMs?: number
}

const gzip = ".gz"
const unfinished = ".tmp"

/** Looks at the sizes now and then, until `signal` is aborted. */
export async function rotateLogs(options: LogRotationOptions, signal: AbortSignal): Promise<void> {
  const { env, running, maxBytes = 10 * 1024 ** 2, periodMs = 10_000 } = options
  for (;;) {
    await env.clock.sleep(periodMs, signal)
    for (const { id, logPath } of running()) {
      if (logPath === "") continue
      try {
        const size = (await stat(logPath).catch(() => undefined))?.size ?? 0
        if (size > maxBytes) await rotateLog(id, logPath, options, signal)
      } catch (thrown) {
        signal.throwIfAborted()
        env.log.warn("Cannot rotate a container's log", { container: id, logPath, err: messageOf(thrown) })
      }
    }
  }
}

/** Makes the log begin anew. Rejects when the runtime does not follow; the log then goes on as it was. */
export async function rotateLog(
  id: string,
  logPath: string,
  options: Pick<LogRotationOptions, "env" | "runtime" | "maxFiles">,
  signal: AbortSignal,
): Promise<void> {
  const { env, runtime, maxFiles = 5 } = options
  const dir = dirname(logPath)
  const prefix = `${basename(logPath)}.`
  const old = (await readdir(dir)).filter((name) => name.startsWith(prefix)).sort()
  for (const name of old.filter((other) => other.endsWith(unfinished)))
    await rm(join(dir, name), { force: true })
  // A compressed one whose original is still there was not finished with.
  const whole = old.filter((name) => !name.endsWith(unfinished) && !old.includes(name.slice(0, -gzip.length)))
  // Two of the files are to be the current one and the one that it becomes now.
  const excess = Math.max(whole.length - (maxFiles - 2), 0)
  for (const name of whole.slice(0, excess)) await rm(join(dir, name), { force: true })
  for (const name of whole.slice(excess)) if (!name.endsWith(gzip)) await compress(join(dir, name), signal)

  const rotated = `${logPath}.${formatTime(env.clock.now()).replace(/[-:Z]/g, "").replace("T", "-")}`
  await rename(logPath, rotated)
  try {
    await runtime.reopenContainerLog({ containerId: id }, { signal })
  } catch (thrown) {
    await rename(rotated, logPath)
    throw thrown
  }
}

async function compress(path: string, signal: AbortSignal): Promise<void> {
  const part = `${path}${unfinished}`
  await pipeline(createReadStream(path), createGzip(), createWriteStream(part, { mode: 0o640 }), { signal })
  await rename(part, `${path}${gzip}`)
  await rm(path, { force: true })
}
