/**
 * Starts and adopts a node's containerd. The daemon has a root, a socket and a session of its own and outlives
 * us; so do its shims and their containers. A later start finds the daemon by its pid file and goes on with it.
 */
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import { Backoff, TimeoutError, abortable, deferred, messageOf, type Env } from "@knarr/base"
import { isRuntimeNotFound, type ContainerRuntime } from "./container-runtime.ts"
import { containerdToml, mirrorToml } from "./containerd-config.ts"
import { createContainerdSnapshots, type ContainerdSnapshots } from "./containerd-snapshots.ts"
import { createCriRuntime } from "./cri-runtime.ts"
import { probeHost, type HostFeatures } from "./containerd-host.ts"
import { untilGone, type NodeRuntime } from "./node-runtime.ts"
import { createPauseImageTar, pauseImage } from "./pause-image.ts"
import { isAlive, runCommand, waitForEnd } from "./process.ts"

/**
 * Containers get the daemon's limit of open files: that of containerd's own unit, not that of the shell that happens
 * to start us. Where it may not be raised, as much as may be.
 */
const withFileLimit = `ulimit -n 1048576 2>/dev/null || ulimit -n "$(ulimit -H -n)"; exec "$@"`

/** The type of a file system in memory, as statfs tells it. */
const tmpfsMagic = 0x01021994

export interface ContainerdOptions {
  /** Holds images, snapshots, configuration and the log. */
  readonly dir: string
  /** Holds the socket and the state of running containers. Default: {@link defaultRunDir} of `dir`. */
  readonly runDir?: string
  readonly env: Env
  readonly cniBinDir: string
  readonly cniConfDir: string
  /** The URL of a registry that answers for every registry, asked first. */
  readonly registryMirror?: string
  /** Default: {@link pauseImage}, which is imported when it is missing. */
  readonly sandboxImage?: string
  /** A cgroup path for the daemon itself; without it, it stays in ours. */
  readonly cgroup?: string
  /** The name of a network namespace (`ip netns`) to run in; default: ours. */
  readonly netns?: string
  /** How long the daemon may take to answer; default 30,000. */
  readonly startLimitMs?: number
}

/** It is started again when it ends. */
export interface Containerd extends NodeRuntime {
  readonly socket: string
  /** The daemon's process. Changes when the daemon is restarted. */
  readonly pid: number
  readonly logFile: string
}

/** The folder for sockets: short, since a unix socket's path may have 107 bytes. */
export function defaultRunDir(dir: string): string {
  return `/run/knarr/${createHash("sha256").update(dir).digest("hex").slice(0, 12)}`
}

/** Paths of one daemon. */
export interface ContainerdPaths {
  readonly dir: string
  readonly runDir: string
  readonly root: string
  readonly state: string
  readonly socket: string
  readonly runcRoot: string
  readonly config: string
  readonly certsDir: string
  readonly log: string
  readonly pid: string
}

export function containerdPaths(dir: string, runDir: string = defaultRunDir(dir)): ContainerdPaths {
  return {
    dir,
    runDir,
    root: join(dir, "root"),
    state: join(runDir, "state"),
    socket: join(runDir, "containerd.sock"),
    runcRoot: join(runDir, "runc"),
    config: join(dir, "config.toml"),
    certsDir: join(dir, "certs.d"),
    log: join(dir, "containerd.log"),
    pid: join(runDir, "containerd.pid"),
  }
}

/**
 * A containerd that answers, with the sandbox image in place: the one that runs, or a new one. A daemon that
 * runs with another configuration is restarted, which containers survive.
 */
export async function ensureContainerd(options: ContainerdOptions, signal: AbortSignal): Promise<Containerd> {
  const daemon = new Daemon(options)
  try {
    await daemon.ensure(signal)
    return daemon
  } catch (thrown) {
    await daemon.close()
    throw thrown
  }
}

class Daemon implements Containerd {
  readonly name = "containerd"
  readonly #options: ContainerdOptions
  readonly #paths: ContainerdPaths
  readonly runtime: ContainerRuntime
  readonly snapshots: ContainerdSnapshots
  #pid = 0
  #adopted = false
  #problem: string | undefined

  constructor(options: ContainerdOptions) {
    this.#options = options
    this.#paths = containerdPaths(options.dir, options.runDir)
    if (Buffer.byteLength(this.#paths.socket) > 100)
      throw new Error(
        `Cannot listen on "${this.#paths.socket}": the path is longer than a unix socket's may be`,
      )
    const { socket } = this.#paths
    this.runtime = createCriRuntime({ socket, env: options.env })
    this.snapshots = createContainerdSnapshots({ socket, env: options.env, runtime: this.runtime })
  }

  get socket(): string {
    return this.#paths.socket
  }

  get pid(): number {
    return this.#pid
  }

  get logFile(): string {
    return this.#paths.log
  }

  get adopted(): boolean {
    return this.#adopted
  }

  async ensure(signal: AbortSignal): Promise<void> {
    const { env } = this.#options
    const paths = this.#paths
    mkdirSync(paths.dir, { recursive: true, mode: 0o711 })
    mkdirSync(paths.runDir, { recursive: true, mode: 0o711 })
    await this.#keepInMemory(paths.runDir, signal)
    this.#writeMirror()
    const before = existsSync(paths.config) ? readFileSync(paths.config, "utf8") : ""
    const host = await probeHost(paths.dir, before, signal)
    const text = this.#configText(host)
    const running = findDaemon(paths)
    if (running !== undefined && text === before && (await this.#answers(signal))) {
      this.#pid = running
      this.#adopted = true
    } else {
      if (running !== undefined) {
        env.log.info("Restarting containerd with a new configuration", { pid: running })
        await stopDaemon(running, env, signal)
      }
      if (text !== before) writeFileSync(paths.config, text)
      await this.#start(signal)
    }
    await this.#ensureSandboxImage(host, signal)
  }

  async run(signal: AbortSignal): Promise<void> {
    const { env } = this.#options
    const backoff = new Backoff({ firstMs: 100, maxMs: 10_000 })
    for (;;) {
      const since = env.clock.monotonic()
      await untilGone(this.#paths.socket, signal)
      if (env.clock.monotonic() - since > 60_000) backoff.reset()
      signal.throwIfAborted()
      const running = findDaemon(this.#paths)
      try {
        if (running !== undefined && (await this.#answers(signal))) {
          this.#problem = undefined
          continue
        }
        this.#problem = "containerd ended and is started again"
        env.log.warn("containerd ended; starting it again", { pid: this.#pid, log: this.#paths.log })
        if (running !== undefined) await stopDaemon(running, env, signal)
        await this.#start(signal)
        this.#problem = undefined
      } catch (thrown) {
        signal.throwIfAborted()
        this.#problem = messageOf(thrown)
        env.log.error("Cannot start containerd, retrying", thrown)
      }
      await backoff.wait(env.clock, signal)
    }
  }

  /**
   * What is gone after a restart of the machine anyway needs no disk: on one, half the files that a container's start
   * makes are made there. Nothing to do where /run is in memory; what is there already is not hidden.
   */
  async #keepInMemory(dir: string, signal: AbortSignal): Promise<void> {
    if (statfsSync(dir).type === tmpfsMagic || readdirSync(dir).length > 0) return
    try {
      await runCommand("mount", ["-t", "tmpfs", "-o", "mode=711", "tmpfs", dir], { signal })
    } catch (thrown) {
      signal.throwIfAborted()
      this.#options.env.log.debug("The state of containerd stays on the disk", { err: messageOf(thrown) })
    }
  }

  problem(): string | undefined {
    return this.#problem
  }

  async close(): Promise<void> {
    this.snapshots.close()
    await this.runtime.close()
  }

  #configText(host: HostFeatures): string {
    const { cniBinDir, cniConfDir, sandboxImage, cgroup } = this.#options
    return (
      `${host.stamp}\n` +
      containerdToml({
        ...this.#paths,
        ...host,
        cgroup: cgroup ?? "",
        cniBinDir,
        cniConfDir,
        sandboxImage: sandboxImage ?? pauseImage,
      })
    )
  }

  #writeMirror(): void {
    const dir = join(this.#paths.certsDir, "_default")
    mkdirSync(dir, { recursive: true })
    const file = join(dir, "hosts.toml")
    const { registryMirror } = this.#options
    if (registryMirror === undefined) rmSync(file, { force: true })
    else writeFileSync(file, mirrorToml(registryMirror))
  }

  async #start(signal: AbortSignal): Promise<void> {
    const { env, netns, startLimitMs = 30_000 } = this.#options
    const paths = this.#paths
    const started = env.clock.monotonic()
    rmSync(paths.socket, { force: true })
    mkdirSync(paths.root, { recursive: true, mode: 0o711 })
    mkdirSync(paths.state, { recursive: true, mode: 0o711 })
    const log = openSync(paths.log, "a")
    const command = ["containerd", "--config", paths.config]
    if (netns !== undefined) command.unshift("nsenter", `--net=/run/netns/${netns}`)
    const child = spawn("sh", ["-c", withFileLimit, "sh", ...command], {
      detached: true,
      stdio: ["ignore", log, log],
      cwd: "/",
    })
    closeSync(log)
    const ended = deferred<never>()
    ended.promise.catch(() => {})
    child.once("error", (error) => ended.reject(new Error(`Cannot start containerd: ${error.message}`)))
    child.once("exit", (code, killedBy) => {
      const how = killedBy ?? `exit code ${code}`
      ended.reject(new Error(`Cannot start containerd: ${how}, ${lastLine(paths.log)}`))
    })
    child.unref()
    if (child.pid !== undefined) {
      writeFileSync(paths.pid, `${child.pid}\n`)
      this.#pid = child.pid
    }
    const ready = async (): Promise<void> => {
      while (!(await this.#answers(signal))) {
        if (env.clock.monotonic() - started > startLimitMs)
          throw new TimeoutError(`containerd to answer, ${lastLine(paths.log)}`, startLimitMs)
        await env.clock.sleep(10, signal)
      }
    }
    try {
      await abortable(Promise.race([ready(), ended.promise]), signal)
    } catch (thrown) {
      child.kill("SIGKILL")
      throw thrown
    }
    env.log.debug("containerd answers", { pid: this.#pid, ms: Math.round(env.clock.monotonic() - started) })
  }

  /** Whether the CRI is served; its plugin refuses everything but `version` until it has recovered its state. */
  async #answers(signal: AbortSignal): Promise<boolean> {
    if (!existsSync(this.#paths.socket)) return false
    try {
      await this.runtime.listPodSandbox({ filter: { id: "none" } }, { signal })
      return true
    } catch {
      signal.throwIfAborted()
      return false
    }
  }

  async #ensureSandboxImage(host: HostFeatures, signal: AbortSignal): Promise<void> {
    const image = this.#options.sandboxImage ?? pauseImage
    if (image !== pauseImage || (await this.#hasImage(image, signal))) return
    await importImage(this.#paths.socket, createPauseImageTar(), { snapshotter: host.snapshotter, signal })
    // The CRI hears of an import from containerd's events, a moment later.
    const { clock } = this.#options.env
    const limitMs = 10_000
    for (const start = clock.monotonic(); !(await this.#hasImage(image, signal));) {
      if (clock.monotonic() - start > limitMs) throw new TimeoutError("import of the sandbox image", limitMs)
      await clock.sleep(5, signal)
    }
  }

  async #hasImage(image: string, signal: AbortSignal): Promise<boolean> {
    try {
      const { image: found } = await this.runtime.imageStatus({ image: { image } }, { signal })
      return found !== undefined
    } catch (thrown) {
      if (isRuntimeNotFound(thrown)) return false
      throw thrown
    }
  }
}

/** Imports the images in a tar (an OCI layout or what `docker save` writes) into the daemon at `socket`. */
export async function importImage(
  socket: string,
  tar: Uint8Array,
  options: { readonly snapshotter?: string; readonly signal: AbortSignal },
): Promise<void> {
  const snapshotter = options.snapshotter ? ["--snapshotter", options.snapshotter] : []
  await runCommand("ctr", ["-a", socket, "-n", "k8s.io", "images", "import", ...snapshotter, "-"], {
    input: tar,
    signal: options.signal,
  })
}

/** The pid of the daemon that runs with this configuration, whoever started it. */
export function findDaemon(paths: ContainerdPaths): number | undefined {
  const runs = (pid: number): boolean => {
    try {
      const args = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")
      return args[0]!.endsWith("containerd") && args.includes(paths.config) && isAlive(pid)
    } catch {
      return false
    }
  }
  if (existsSync(paths.pid)) {
    const pid = Number(readFileSync(paths.pid, "utf8"))
    return runs(pid) ? pid : undefined
  }
  // Somebody may have emptied /run: the daemon still holds its database, and a second one would wait for it.
  return readdirSync("/proc")
    .map(Number)
    .find((pid) => pid > 0 && runs(pid))
}

/** Ends a daemon, politely first. Its shims and containers run on. */
export async function stopDaemon(pid: number, env: Env, signal: AbortSignal): Promise<void> {
  process.kill(pid, "SIGTERM")
  if (await waitForEnd(pid, 5000, env.clock, signal)) return
  process.kill(pid, "SIGKILL")
  await waitForEnd(pid, 5000, env.clock, signal)
}

function lastLine(file: string): string {
  try {
    const lines = readFileSync(file, "utf8").trimEnd().split("\n")
    return `its log ends with: ${lines.at(-1)}`
  } catch {
    return "it has no log"
  }
}
