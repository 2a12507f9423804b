/**
 * The runtime's events, out of containerd's own events service on the CRI socket. It works with every release
 * (1.6 has no GetContainerEvents) and says everything that happens, so the kubelet has nothing to poll.
 */
import { Backoff, CancelledError, Channel, Scope, type Env, tableOf } from "@knarr/base"
import { createCodec, createGrpcClient } from "@knarr/grpc"
import type { RuntimeCalls, RuntimeEvent } from "./container-runtime.ts"

interface Timestamp {
  seconds: number
  nanos: number
}

interface Messages {
  SubscribeRequest: { filters: string[] }
  PublishRequest: { topic: string; event?: { typeUrl: string; value: Uint8Array } }
  Envelope: {
    timestamp?: Timestamp
    namespace: string
    topic: string
    event?: { typeUrl: string; value: Uint8Array }
  }
  Any: { typeUrl: string; value: Uint8Array }
  Timestamp: Timestamp
  /** TaskExit; `id` is the exec's when not the container's own process ended. */
  TaskExit: { containerId: string; id: string; pid: number; exitStatus: number; exitedAt?: Timestamp }
  /** TaskStart, TaskOOM, ContainerCreate and ContainerDelete all begin with the container's id. */
  Subject: { containerId: string }
}

const codec = createCodec<Messages>(
  {
    SubscribeRequest: "filters:1:[]string",
    PublishRequest: "topic:1:string event:2:Any",
    Envelope: "timestamp:1:Timestamp namespace:2:string topic:3:string event:4:Any",
    Any: "typeUrl:1:string value:2:bytes",
    Timestamp: "seconds:1:int64 nanos:2:int32",
    TaskExit: "containerId:1:string id:2:string pid:3:uint32 exitStatus:4:uint32 exitedAt:5:Timestamp",
    Subject: "containerId:1:string",
  },
  {},
)

const service = "/containerd.services.events.v1.Events"
const namespace = "k8s.io"
/** We publish this one ourselves: when it comes back, the subscription stands. */
const markTopic = "/knarr/subscribed"

const types: Readonly<Record<string, "created" | "started" | "stopped" | "deleted" | "oom">> = tableOf({
  "/containers/create": "created",
  "/tasks/start": "started",
  "/tasks/exit": "stopped",
  "/tasks/oom": "oom",
  "/containers/delete": "deleted",
})

/** Events that wait for the kubelet; beyond it they are dropped and a resync takes their place. */
const eventBound = 4096
const minBackoffMs = 25
const maxBackoffMs = 2000
/** How long the CRI may take to know what containerd already said. */
const settleLimitMs = 5000

interface WatchOptions {
  readonly socket: string
  readonly env: Env
  readonly runtime: RuntimeCalls
  readonly signal: AbortSignal
  readonly closing: AbortSignal
}

/** See `ContainerRuntime.events`. */
export async function* watchContainerd(options: WatchOptions): AsyncGenerator<RuntimeEvent> {
  const { signal, closing, env } = options
  if (signal.aborted || closing.aborted) return
  await using scope = new Scope("runtime-events")
  const stop = (): void => void scope.close().catch(() => {})
  signal.addEventListener("abort", stop, { once: true })
  closing.addEventListener("abort", stop, { once: true })
  try {
    const watch = new Watch(options, scope)
    scope.run("subscribe", (inner) => watch.run(inner))
    for (;;) {
      const event = await watch.next(scope.signal)
      if (!event) return
      yield event
    }
  } catch (thrown) {
    if (signal.aborted || closing.aborted || thrown instanceof CancelledError) return
    env.log.error("The runtime's event stream failed", thrown)
    throw thrown
  } finally {
    signal.removeEventListener("abort", stop)
    closing.removeEventListener("abort", stop)
  }
}

class Watch {
  readonly #socket: string
  readonly #env: Env
  readonly #runtime: RuntimeCalls
  readonly #scope: Scope
  readonly #out = new Channel<RuntimeEvent>(eventBound)
  #overflowed = false
  /** The events of one container are delivered in order; those of others do not wait for them. */
  readonly #chains = new Map<string, Promise<void>>()
  readonly #sandboxOf = new Map<string, string>()
  /** Containers that ran out of memory: their end is told once the CRI gives that as its reason. */
  readonly #outOfMemory = new Set<string>()

  constructor({ socket, env, runtime }: WatchOptions, scope: Scope) {
    this.#socket = socket
    this.#env = env
    this.#runtime = runtime
    this.#scope = scope
  }

  async next(signal: AbortSignal): Promise<RuntimeEvent | undefined> {
    const event = await this.#out.next(signal)
    if (this.#overflowed && this.#out.size === 0) {
      this.#overflowed = false
      this.#push({ type: "resync", atMs: this.#env.clock.now() })
    }
    return event
  }

  /** Subscribes, and again whenever the stream breaks. */
  async run(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff({ firstMs: minBackoffMs, maxMs: maxBackoffMs })
    for (;;) {
      try {
        await this.#subscribe(signal, () => backoff.reset())
        this.#env.log.debug("The runtime ended its event stream")
      } catch (thrown) {
        signal.throwIfAborted()
        this.#env.log.debug("Cannot watch the runtime", { err: thrown })
      }
      await backoff.wait(this.#env.clock, signal)
    }
  }

  async #subscribe(outer: AbortSignal, onReady: () => void): Promise<void> {
    const client = createGrpcClient({ socket: this.#socket, clock: this.#env.clock })
    await using scope = this.#scope.child("stream", { contained: true })
    scope.defer(() => client.close())
    const signal = scope.signal
    const topics = [...Object.keys(types), markTopic]
    const filters = topics.map((topic) => `topic=="${topic}",namespace==${namespace}`)
    const messages = client.stream(`${service}/Subscribe`, codec.encode("SubscribeRequest", { filters }), {
      signal,
    })
    const mark = codec.encode("PublishRequest", {
      topic: markTopic,
      event: { typeUrl: "google.protobuf.Empty", value: new Uint8Array(0) },
    })
    let ready = false
    scope.run("mark", async (inner) => {
      // The server says nothing when a subscription begins, and a mark published too early is lost.
      const pause = new Backoff({ firstMs: 2, maxMs: 500 })
      while (!ready) {
        await client.unary(`${service}/Publish`, mark, {
          signal: inner,
          headers: { "containerd-namespace": namespace },
        })
        if (!ready) await pause.wait(this.#env.clock, inner)
      }
    })
    for (;;) {
      const bytes = await messages.next(signal)
      outer.throwIfAborted()
      if (!bytes) return
      const envelope = codec.decode("Envelope", bytes)
      if (envelope.topic !== markTopic) this.#receiveSafely(envelope)
      else if (!ready) {
        ready = true
        // containerd tells events before its CRI answers: whoever hears of a resync will ask that at once.
        await this.#runtime.listContainers({ filter: { id: "none" } }, { signal })
        onReady()
        // Containers may have gone while nobody listened.
        this.#sandboxOf.clear()
        this.#outOfMemory.clear()
        this.#push({ type: "resync", atMs: this.#env.clock.now() })
      }
    }
  }

  /** An event that cannot be read costs a look at everything, not the stream. */
  #receiveSafely(envelope: Messages["Envelope"]): void {
    try {
      this.#receive(envelope)
    } catch (thrown) {
      this.#env.log.warn("Cannot read an event of the runtime", { topic: envelope.topic, err: thrown })
      this.#push({ type: "resync", atMs: this.#env.clock.now() })
    }
  }

  #receive(envelope: Messages["Envelope"]): void {
    const type = types[envelope.topic]
    const value = envelope.event?.value
    if (!type || !value) return
    const { containerId } = codec.decode("Subject", value)
    let atMs = millisOf(envelope.timestamp)
    let exitCode: number | undefined
    if (type === "stopped") {
      const exit = codec.decode("TaskExit", value)
      if (exit.id !== "" && exit.id !== containerId) return
      exitCode = exit.exitStatus
      if (exit.exitedAt) atMs = millisOf(exit.exitedAt)
    }
    const before = this.#chains.get(containerId)
    const chain: Promise<void> = (async () => {
      await before?.catch(() => {})
      const podSandboxId = await this.#settle(
        type,
        containerId,
        () => this.#chains.get(containerId) !== chain,
      )
      const extra = {
        ...(podSandboxId === undefined ? {} : { podSandboxId }),
        ...(exitCode === undefined ? {} : { exitCode }),
      }
      this.#push({ type, containerId, atMs, ...extra })
    })().finally(() => {
      if (this.#chains.get(containerId) === chain) this.#chains.delete(containerId)
    })
    this.#chains.set(containerId, chain)
    this.#scope.run(`event ${containerId}`, () => chain, { contained: true })
  }

  #push(event: RuntimeEvent): void {
    if (!this.#out.push(event) && !this.#out.closed) this.#overflowed = true
  }

  /**
   * Waits until the CRI's view agrees with the event, since it learns of it at the same time as we do, and
   * returns the container's sandbox. An event that a later one follows (`superseded`) does not wait.
   */
  async #settle(type: string, id: string, superseded: () => boolean): Promise<string | undefined> {
    const { clock } = this.#env
    const signal = this.#scope.signal
    const known = this.#sandboxOf.get(id)
    if (type === "oom") this.#outOfMemory.add(id)
    if (type === "deleted") {
      this.#sandboxOf.delete(id)
      this.#outOfMemory.delete(id)
    }
    const deadline = clock.monotonic() + settleLimitMs
    const pause = new Backoff({ firstMs: 1, maxMs: 50 })
    for (;;) {
      const view = await this.#view(id, known, signal)
      if (view && type !== "deleted") this.#sandboxOf.set(id, view.podSandboxId)
      if (agrees(type, view?.state) && (await this.#reasonIsKnown(type, id, view?.state, signal)))
        return view?.podSandboxId ?? known
      if (superseded() || clock.monotonic() >= deadline) return view?.podSandboxId ?? known
      await pause.wait(clock, signal)
    }
  }

  async #reasonIsKnown(
    type: string,
    containerId: string,
    state: string | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (type !== "oom" && type !== "stopped") return true
    if (state !== "CONTAINER_EXITED" || !this.#outOfMemory.has(containerId)) return true
    const answer = await this.#runtime.containerStatus({ containerId }, { signal }).catch(() => undefined)
    signal.throwIfAborted()
    return answer?.status === undefined || answer.status.reason === "OOMKilled"
  }

  async #view(
    id: string,
    known: string | undefined,
    signal: AbortSignal,
  ): Promise<{ state: string; podSandboxId: string } | undefined> {
    try {
      if (known !== id) {
        const { containers } = await this.#runtime.listContainers({ filter: { id } }, { signal })
        const container = containers.find((item) => item.id === id)
        if (container) return { state: container.state, podSandboxId: container.podSandboxId }
      }
      const { items } = await this.#runtime.listPodSandbox({ filter: { id } }, { signal })
      const sandbox = items.find((item) => item.id === id)
      return sandbox && { state: sandbox.state, podSandboxId: id }
    } catch {
      signal.throwIfAborted()
      return undefined
    }
  }
}

/** Whether the CRI's state shows what an event says; a container that is gone agrees with everything but creation. */
function agrees(type: string, state: string | undefined): boolean {
  switch (type) {
    case "started":
      return state !== "CONTAINER_CREATED" && state !== undefined
    case "stopped":
      return state !== "CONTAINER_RUNNING" && state !== "SANDBOX_READY"
    case "deleted":
      return state === undefined
    default:
      return true
  }
}

function millisOf(time: Timestamp | undefined): number {
  return time ? time.seconds * 1000 + Math.floor(time.nanos / 1e6) : 0
}
