/** Stops a node's containerd with everything that it runs: for `knarr down`, which keeps what was there, and `knarr delete`. */
import { readFileSync, readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { Semaphore, withTimeout, type Env } from "@knarr/base"
import type { ContainerRuntime } from "./container-runtime.ts"
import { containerdPaths, findDaemon, stopDaemon, type ContainerdPaths } from "./containerd.ts"
import { createCriRuntime } from "./cri-runtime.ts"
import { isAlive, runCommand, waitForEnd } from "./process.ts"

export interface StopContainerdOptions {
  readonly dir: string
  readonly runDir?: string
  readonly env: Env
  /**
   * What is on disk stays for the next start, as after a power cut: images, and the stopped pods and containers with
   * their exit codes and their files. Default false.
   */
  readonly keepState?: boolean
  /** How long sandboxes may take to stop in order before they are killed; default 20,000. */
  readonly graceMs?: number
}

/**
 * Stops all pods (their networks are torn down in order where the daemon answers), ends the daemon and its
 * shims, unmounts what is left and removes sockets and, unless it is kept, the state. Idempotent.
 */
export async function stopContainerd(options: StopContainerdOptions, signal: AbortSignal): Promise<void> {
  const { env, graceMs = 20_000, keepState = false } = options
  const paths = containerdPaths(options.dir, options.runDir)
  const pid = findDaemon(paths)
  if (pid !== undefined) {
    const runtime = createCriRuntime({ socket: paths.socket, env })
    try {
      await withTimeout(env.clock, graceMs, "stop of the pods", signal, (inner) =>
        stopPods(runtime, keepState, inner),
      )
    } catch (thrown) {
      signal.throwIfAborted()
      env.log.warn("Cannot stop every pod in order", { err: thrown })
    } finally {
      await runtime.close()
    }
    await stopDaemon(pid, env, signal)
  }
  await killShims(paths, env, signal)
  await unmountBelow([paths.dir, paths.runDir], signal)
  const state = keepState ? [] : [paths.root, paths.certsDir, paths.config, paths.log]
  for (const path of [paths.runDir, ...state]) rmSync(path, { recursive: true, force: true, maxRetries: 5 })
}

async function stopPods(runtime: ContainerRuntime, keep: boolean, signal: AbortSignal): Promise<void> {
  const { items } = await runtime.listPodSandbox({}, { signal })
  const turns = new Semaphore(8)
  await Promise.all(
    items.map(async ({ id }) => {
      using _turn = await turns.acquire(signal)
      await runtime.stopPodSandbox({ podSandboxId: id }, { signal })
      if (!keep) await runtime.removePodSandbox({ podSandboxId: id }, { signal })
    }),
  )
}

async function killShims(paths: ContainerdPaths, env: Env, signal: AbortSignal): Promise<void> {
  const doomed = [...initProcesses(paths), ...shimProcesses(paths)]
  for (const pid of doomed) {
    try {
      process.kill(pid, "SIGKILL")
    } catch {
      // It ended by itself.
    }
  }
  await Promise.all(doomed.filter(isAlive).map((pid) => waitForEnd(pid, 5000, env.clock, signal)))
  for (const file of bundleFiles(paths, "address")) {
    const socket = readText(file)
      .trim()
      .replace(/^unix:\/\//, "")
    if (socket.startsWith("/run/containerd/s/")) rmSync(socket, { force: true })
  }
}

/** The first process of every container, from runc's own state. */
function initProcesses(paths: ContainerdPaths): number[] {
  const dir = join(paths.runcRoot, "k8s.io")
  return list(dir).flatMap((id) => {
    const match = /"init_process_pid":(\d+)/.exec(readText(join(dir, id, "state.json")))
    return match ? [Number(match[1])] : []
  })
}

function shimProcesses(paths: ContainerdPaths): number[] {
  return list("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      const args = readText(`/proc/${pid}/cmdline`).split("\0")
      return args[0]?.includes("containerd-shim") && args[args.indexOf("-address") + 1] === paths.socket
    })
    .map(Number)
}

function bundleFiles(paths: ContainerdPaths, name: string): string[] {
  const dir = join(paths.state, "io.containerd.runtime.v2.task/k8s.io")
  return list(dir).map((id) => join(dir, id, name))
}

/** Unmounts everything at or below the folders, deepest first; what is busy goes as soon as it is not. */
export async function unmountBelow(dirs: readonly string[], signal: AbortSignal): Promise<void> {
  const mounts = readText("/proc/self/mountinfo")
    .split("\n")
    .map((line) => (line.split(" ")[4] ?? "").replace(/\\(\d{3})/g, (_, octal: string) => fromOctal(octal)))
    .filter((path) => dirs.some((dir) => path === dir || path.startsWith(`${dir}/`)))
    .reverse()
  for (let i = 0; i < mounts.length; i += 200)
    await runCommand("umount", ["-l", ...mounts.slice(i, i + 200)], { signal })
}

function fromOctal(digits: string): string {
  return String.fromCharCode(Number.parseInt(digits, 8))
}

function list(dir: string): string[] {
  try {
    return readdirSync(dir)
  } catch {
    return []
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return ""
  }
}
