/**
 * What a benchmark leaves behind, which is nothing: its folder and its processes end with it, whether it
 * finishes, fails or is interrupted.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process"
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
} from "node:fs"
import { createServer, type AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

export const root = join(import.meta.dirname, "..")

export interface Process {
  readonly name: string
  readonly pid: number
  readonly child: ChildProcess
  readonly log: string
  /** True when it has ended. */
  readonly ended: boolean
  /** Asks it to end, kills it after `graceMs`, and resolves when it is gone. */
  stop(graceMs?: number): Promise<void>
}

export class Workspace implements AsyncDisposable {
  readonly dir: string
  readonly #processes: Process[] = []
  readonly #deferred: (() => void | Promise<void>)[] = []
  #closing: Promise<void> | undefined

  constructor() {
    this.dir = mkdtempSync(join(tmpdir(), "knarr-bench-"))
  }

  /** A new folder in the workspace. */
  folder(name: string): string {
    const dir = join(this.dir, name)
    mkdirSync(dir, { recursive: true })
    return dir
  }

  /** Starts a process whose output goes to a log; with `pipes`, its input and output are the caller's. */
  spawn(
    name: string,
    command: readonly string[],
    options: { pipes?: boolean; env?: NodeJS.ProcessEnv } = {},
  ): Process {
    const log = join(this.folder("logs"), `${name}.log`)
    const fd = openSync(log, "a")
    const [program, ...args] = command
    const child = spawn(program!, args, {
      cwd: this.dir,
      env: { ...process.env, ...options.env },
      // A group of its own: the interrupt of a terminal reaches the benchmark, which then ends it.
      detached: true,
      stdio: [options.pipes ? "pipe" : "ignore", options.pipes ? "pipe" : fd, fd],
    })
    closeSync(fd)
    let ended = false
    const exit = new Promise<void>((resolve) => {
      const end = (): void => {
        ended = true
        resolve()
      }
      child.once("exit", end)
      child.once("error", (error) => {
        if (existsSync(this.dir)) appendFileSync(log, `${error.message}\n`)
        end()
      })
    })
    const started: Process = {
      name,
      pid: child.pid ?? 0,
      child,
      log,
      get ended() {
        return ended
      },
      async stop(graceMs = 5000) {
        if (ended) return
        child.kill("SIGTERM")
        const timer = setTimeout(() => child.kill("SIGKILL"), graceMs)
        await exit
        clearTimeout(timer)
      },
    }
    this.#processes.push(started)
    return started
  }

  /** Calls `fn` when the workspace closes, before its processes are ended. */
  defer(fn: () => void | Promise<void>): void {
    this.#deferred.push(fn)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    for (const fn of this.#deferred.reverse())
      await Promise.resolve()
        .then(fn)
        .catch((thrown: unknown) => complain(thrown))
    // A server before the store that it writes to.
    for (const one of this.#processes.reverse()) await one.stop()
    for (const point of mountsBelow(this.dir)) {
      complain(`${point} was left mounted`)
      spawnSync("umount", ["--lazy", point])
    }
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 3 })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** The deepest first. */
function mountsBelow(dir: string): string[] {
  const points = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
  return points.filter((point) => point.startsWith(`${dir}/`)).toReversed()
}

/** Runs `fn` in a workspace that is gone afterwards, also when SIGINT or SIGTERM arrives. */
export async function withWorkspace<T>(fn: (workspace: Workspace) => Promise<T>): Promise<T> {
  await using workspace = new Workspace()
  const onSignal = (signal: NodeJS.Signals): void => {
    process.stderr.write(`\n${signal}: cleaning up\n`)
    void workspace.close().finally(() => process.exit(130))
  }
  process.once("SIGINT", onSignal).once("SIGTERM", onSignal)
  try {
    return await fn(workspace)
  } finally {
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal)
  }
}

function complain(thrown: unknown): void {
  process.stderr.write(`${thrown instanceof Error ? thrown.message : String(thrown)}\n`)
}

/** The end of a process's log, for the message of a failure. */
export function tail(log: string, lines = 8): string {
  if (!existsSync(log)) return ""
  return readFileSync(log, "utf8").trimEnd().split("\n").slice(-lines).join("\n")
}

/** Ports of the loopback that nobody listens on. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once("error", reject)
          server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port))
        }),
    ),
  )
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
