/**
 * A machine that only pretends to run containers: sandboxes, containers and images as plain state on the Env's
 * clock. Thousands of nodes of it fit into one process, and a seeded run repeats itself exactly.
 */
import { Channel, type Env } from "@knarr/base"
import { grpcCodes } from "@knarr/grpc"
import { completeMessage } from "./cri-codec.ts"
import { RuntimeError, type RuntimeEvent, type StoppedEvent } from "./container-runtime.ts"
import type { ContainerConfig, ContainerState, Image, PodSandboxConfig, PodSandboxState } from "./cri.gen.ts"
import { IpRange } from "./ip-range.ts"

/** A container as a script sees it. */
export interface SimulatedContainer {
  readonly id: string
  readonly config: ContainerConfig
  readonly sandboxConfig: PodSandboxConfig
}

/** What a container does. All times in milliseconds of the Env's clock. */
export interface SimulatedBehaviour {
  /** Between the start call and its answer; default 0. */
  readonly startDelayMs?: number
  /** After the start; without it the container runs until it is stopped. */
  readonly exitAfterMs?: number
  /** Of an exit by itself; default 0. */
  readonly exitCode?: number
  /** The state's reason after an exit by itself; default as containerd: `Completed` or `Error`. */
  readonly reason?: string
  /** Between the stop signal and the exit; default 0. Longer than the grace period: killed with 137. */
  readonly stopAfterMs?: number
  /** Of an exit that the stop signal caused; default 0. */
  readonly stopExitCode?: number
  readonly cpuNanoCores?: number
  readonly memoryBytes?: number
}

export interface SimulatedExec {
  readonly exitCode?: number
  readonly stdout?: string
  readonly stderr?: string
  readonly delayMs?: number
}

export interface SimulatedPull {
  readonly delayMs?: number
  /** The pull fails with this message. */
  readonly error?: string
  readonly sizeBytes?: number
}

export interface SimulatedHostOptions {
  readonly env: Env
  /** Where sandboxes get their addresses; may come later through `updateRuntimeConfig`. */
  readonly podCIDR?: string
  /** The handlers of runtime classes that it knows beside the default one; default: any. */
  readonly runtimeHandlers?: readonly string[]
  readonly behaviour?: (container: SimulatedContainer) => SimulatedBehaviour
  /** The answer of a command in a container; default: exit code 0, no output. */
  readonly exec?: (container: SimulatedContainer, command: readonly string[]) => SimulatedExec
  /** The course of a pull; default: at once, 10 MB. */
  readonly pull?: (image: string) => SimulatedPull
}

export interface SandboxRecord {
  readonly id: string
  readonly config: PodSandboxConfig
  readonly runtimeHandler: string
  readonly createdAtMs: number
  readonly ip: string
  state: PodSandboxState
}

export interface ContainerRecord {
  readonly id: string
  readonly sandbox: SandboxRecord
  readonly config: ContainerConfig
  readonly image: Image
  readonly createdAtMs: number
  state: ContainerState
  startedAtMs: number
  finishedAtMs: number
  exitCode: number
  reason: string
  behaviour: SimulatedBehaviour
  exitTimer: Disposable | undefined
  stopTimer: Disposable | undefined
  /** When the stop that is under way takes effect. */
  stopAtMs: number
  /** Called on exit. */
  readonly waiters: (() => void)[]
}

const eventBound = 65_536
const defaultImageBytes = 10_000_000

export class SimulatedHost {
  readonly options: SimulatedHostOptions
  readonly sandboxes: Map<string, SandboxRecord> = new Map()
  readonly containers: Map<string, ContainerRecord> = new Map()
  readonly images: Map<string, Image> = new Map()
  readonly #watchers = new Set<Channel<RuntimeEvent>>()
  #range: IpRange | undefined

  constructor(options: SimulatedHostOptions) {
    this.options = options
    if (options.podCIDR !== undefined) this.setPodCIDR(options.podCIDR)
  }

  get env(): Env {
    return this.options.env
  }

  setPodCIDR(cidr: string): void {
    if (this.#range?.cidr !== cidr) this.#range = new IpRange(cidr)
  }

  watch(): Channel<RuntimeEvent> {
    const channel = new Channel<RuntimeEvent>(eventBound)
    this.#watchers.add(channel)
    channel.push({ type: "resync", atMs: this.env.clock.now() })
    return channel
  }

  unwatch(channel: Channel<RuntimeEvent>): void {
    this.#watchers.delete(channel)
    channel.close()
  }

  runSandbox(config: PodSandboxConfig, runtimeHandler: string): SandboxRecord {
    const { runtimeHandlers } = this.options
    if (runtimeHandler !== "" && runtimeHandlers?.includes(runtimeHandler) === false)
      throw failure("RunPodSandbox", `no runtime for "${runtimeHandler}" is configured`)
    const name = sandboxName(config)
    for (const other of this.sandboxes.values()) {
      if (sandboxName(other.config) !== name) continue
      throw failure(
        "RunPodSandbox",
        `failed to reserve sandbox name "${name}": name "${name}" is reserved for "${other.id}"`,
      )
    }
    const id = this.#newId()
    const onHost = config.linux?.securityContext?.namespaceOptions?.network === "NODE"
    const sandbox: SandboxRecord = {
      id,
      config,
      runtimeHandler,
      createdAtMs: this.env.clock.now(),
      ip: onHost ? "" : this.#allocate(id),
      state: "SANDBOX_READY",
    }
    this.sandboxes.set(id, sandbox)
    return sandbox
  }

  /** A sandbox that ran before this host was there. */
  restoreSandbox(known: Pick<SandboxRecord, "config" | "createdAtMs" | "ip">): SandboxRecord {
    const sandbox: SandboxRecord = {
      ...known,
      id: this.#newId(),
      runtimeHandler: "",
      state: "SANDBOX_READY",
    }
    this.#range?.take(known.ip)
    this.sandboxes.set(sandbox.id, sandbox)
    return sandbox
  }

  /** A container that ran before this host was there; one that has not ended ends when its behaviour says so. */
  restoreContainer(
    sandbox: SandboxRecord,
    known: Pick<ContainerRecord, "id" | "config" | "startedAtMs"> & {
      readonly imageName: string
      readonly ended:
        | { readonly atMs: number; readonly exitCode: number; readonly reason: string }
        | undefined
    },
  ): ContainerRecord {
    const { id, config, startedAtMs, imageName, ended } = known
    const container: ContainerRecord = {
      ...{ id, sandbox, config, startedAtMs },
      image: this.#addImage(imageName, defaultImageBytes),
      createdAtMs: startedAtMs,
      state: ended ? "CONTAINER_EXITED" : "CONTAINER_RUNNING",
      finishedAtMs: ended?.atMs ?? 0,
      exitCode: ended?.exitCode ?? 0,
      reason: ended?.reason ?? "",
      behaviour: {},
      exitTimer: undefined,
      stopTimer: undefined,
      stopAtMs: Infinity,
      waiters: [],
    }
    container.behaviour = this.options.behaviour?.(this.view(container)) ?? {}
    this.containers.set(id, container)
    if (!ended) this.#exitByItself(container)
    return container
  }

  stopSandbox(sandbox: SandboxRecord): void {
    if (sandbox.state === "SANDBOX_NOTREADY") return
    for (const container of this.containers.values())
      if (container.sandbox === sandbox) this.kill(container, 137)
    sandbox.state = "SANDBOX_NOTREADY"
    this.#range?.release(sandbox.ip)
    this.#emit({ type: "stopped", containerId: sandbox.id, exitCode: 137 })
  }

  removeSandbox(sandbox: SandboxRecord): void {
    this.stopSandbox(sandbox)
    for (const container of [...this.containers.values()])
      if (container.sandbox === sandbox) this.removeContainer(container)
    this.sandboxes.delete(sandbox.id)
  }

  createContainer(sandbox: SandboxRecord, config: ContainerConfig): ContainerRecord {
    const image = this.findImage(config.image?.image ?? "")
    if (!image)
      throw new RuntimeError(
        "CreateContainer",
        grpcCodes.notFound,
        `failed to resolve image "${config.image?.image}": not found`,
      )
    const key = containerName(config)
    for (const other of this.containers.values()) {
      if (other.sandbox !== sandbox || containerName(other.config) !== key) continue
      throw failure(
        "CreateContainer",
        `failed to reserve container name "${key}": name "${key}" is reserved for "${other.id}"`,
      )
    }
    const container: ContainerRecord = {
      id: this.#newId(),
      sandbox,
      config,
      image,
      createdAtMs: this.env.clock.now(),
      state: "CONTAINER_CREATED",
      startedAtMs: 0,
      finishedAtMs: 0,
      exitCode: 0,
      reason: "",
      behaviour: {},
      exitTimer: undefined,
      stopTimer: undefined,
      stopAtMs: Infinity,
      waiters: [],
    }
    this.containers.set(container.id, container)
    return container
  }

  async startContainer(container: ContainerRecord, signal: AbortSignal): Promise<void> {
    const refuse = (): void => {
      if (container.state !== "CONTAINER_CREATED")
        throw failure("StartContainer", `container is in ${container.state} state`)
      if (container.sandbox.state !== "SANDBOX_READY")
        throw failure("StartContainer", `sandbox container "${container.sandbox.id}" is not running`)
    }
    refuse()
    const { behaviour } = this.options
    container.behaviour = behaviour?.(this.view(container)) ?? {}
    const { startDelayMs = 0 } = container.behaviour
    if (startDelayMs > 0) {
      await this.env.clock.sleep(startDelayMs, signal)
      refuse()
    }
    container.state = "CONTAINER_RUNNING"
    container.startedAtMs = this.env.clock.now()
    this.#exitByItself(container)
  }

  #exitByItself(container: ContainerRecord): void {
    const { exitAfterMs, exitCode = 0, reason } = container.behaviour
    if (exitAfterMs === undefined) return
    const leftMs = Math.max(0, container.startedAtMs + exitAfterMs - this.env.clock.now())
    container.exitTimer = this.env.clock.timer(leftMs, () => this.kill(container, exitCode, reason))
  }

  /** Ends a container within `graceMs`; returns when it has ended. */
  async stopContainer(container: ContainerRecord, graceMs: number, signal: AbortSignal): Promise<void> {
    if (container.state === "CONTAINER_CREATED") {
      container.startedAtMs = 0
      this.kill(container, 0)
    }
    if (container.state !== "CONTAINER_RUNNING") return
    const { stopAfterMs = 0, stopExitCode = 0 } = container.behaviour
    const killed = stopAfterMs > graceMs || graceMs === 0
    const waitMs = killed ? graceMs : stopAfterMs
    const end = (): void => this.kill(container, killed ? 137 : stopExitCode)
    if (waitMs === 0) return end()
    // A second stop may only bring the end forward.
    const atMs = this.env.clock.now() + waitMs
    if (atMs < container.stopAtMs) {
      container.stopTimer?.[Symbol.dispose]()
      container.stopTimer = this.env.clock.timer(waitMs, end)
      container.stopAtMs = atMs
    }
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => reject(signal.reason)
      signal.addEventListener("abort", onAbort, { once: true })
      container.waiters.push(() => {
        signal.removeEventListener("abort", onAbort)
        resolve()
      })
    })
  }

  removeContainer(container: ContainerRecord): void {
    if (container.state === "CONTAINER_RUNNING") this.kill(container, 137)
    this.containers.delete(container.id)
  }

  kill(container: ContainerRecord, exitCode: number, reason?: string): void {
    if (container.state === "CONTAINER_EXITED") return
    container.exitTimer?.[Symbol.dispose]()
    container.stopTimer?.[Symbol.dispose]()
    const wasRunning = container.state === "CONTAINER_RUNNING"
    container.state = "CONTAINER_EXITED"
    container.exitCode = exitCode
    container.reason = reason ?? (exitCode === 0 ? "Completed" : "Error")
    container.finishedAtMs = this.env.clock.now()
    if (wasRunning) this.#emit({ type: "stopped", containerId: container.id, exitCode })
    for (const waiter of container.waiters.splice(0)) waiter()
  }

  /** Ends a running container as the kernel does when its memory is spent. */
  oomKill(container: ContainerRecord): void {
    this.kill(container, 137, "OOMKilled")
  }

  async pullImage(name: string, signal: AbortSignal): Promise<Image> {
    const { delayMs = 0, error, sizeBytes = defaultImageBytes } = this.options.pull?.(name) ?? {}
    if (delayMs > 0) await this.env.clock.sleep(delayMs, signal)
    if (error !== undefined) throw failure("PullImage", error)
    return this.#addImage(name, sizeBytes)
  }

  #addImage(name: string, size: number): Image {
    const known = this.findImage(name)
    if (known) return known
    const digest = `sha256:${digestOf(name)}`
    const [repository, tag] = splitImage(name)
    const image = completeMessage("Image", {
      id: digest,
      repoTags: tag === "" ? [] : [`${repository}:${tag}`],
      repoDigests: [`${repository}@${digest}`],
      size,
    })
    this.images.set(image.id, image)
    return image
  }

  /** By id, tag or digest. */
  findImage(name: string): Image | undefined {
    const byId = this.images.get(name) ?? this.images.get(`sha256:${name}`)
    if (byId) return byId
    const [repository, tag] = splitImage(name)
    const full = tag === "" ? name : `${repository}:${tag}`
    for (const image of this.images.values())
      if (image.repoTags.includes(full) || image.repoDigests.includes(full)) return image
    return undefined
  }

  view(container: ContainerRecord): SimulatedContainer {
    return { id: container.id, config: container.config, sandboxConfig: container.sandbox.config }
  }

  #allocate(id: string): string {
    if (!this.#range)
      throw failure(
        "RunPodSandbox",
        `failed to setup network for sandbox "${id}": cni plugin not initialized`,
      )
    const ip = this.#range.allocate()
    if (ip !== undefined) return ip
    const message = `failed to allocate for range 0: no IP addresses available in range set: ${this.#range.cidr}`
    throw failure("RunPodSandbox", `failed to setup network for sandbox "${id}": ${message}`)
  }

  #newId(): string {
    return Buffer.from(this.env.random.bytes(32)).toString("hex")
  }

  #emit(event: Omit<StoppedEvent, "atMs">): void {
    for (const channel of this.#watchers) {
      if (channel.push({ ...event, atMs: this.env.clock.now() })) continue
      const error = new RuntimeError(
        "GetContainerEvents",
        grpcCodes.resourceExhausted,
        "The reader is too slow",
      )
      channel.fail(error)
      this.#watchers.delete(channel)
    }
  }
}

function failure(call: string, message: string): RuntimeError {
  return new RuntimeError(call, grpcCodes.unknown, message)
}

function sandboxName(config: PodSandboxConfig): string {
  const { name, namespace, uid, attempt } = config.metadata ?? {
    name: "",
    namespace: "",
    uid: "",
    attempt: 0,
  }
  return `${name}_${namespace}_${uid}_${attempt}`
}

function containerName(config: ContainerConfig): string {
  return `${config.metadata?.name ?? ""}_${config.metadata?.attempt ?? 0}`
}

/** Repository and tag; the tag is `latest` when there is none, and empty after a digest. */
function splitImage(name: string): [repository: string, tag: string] {
  const at = name.indexOf("@")
  if (at >= 0) return [name.slice(0, at), ""]
  const colon = name.lastIndexOf(":")
  if (colon > name.lastIndexOf("/")) return [name.slice(0, colon), name.slice(colon + 1)]
  return [name, "latest"]
}

/** 64 hexadecimal digits that depend on `text` alone (four rounds of FNV-1a; nobody relies on their strength). */
function digestOf(text: string): string {
  let out = ""
  for (let round = 0; out.length < 64; round++) {
    let hash = 0x811c9dc5 ^ round
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
    out += (hash >>> 0).toString(16).padStart(8, "0")
  }
  return out
}
