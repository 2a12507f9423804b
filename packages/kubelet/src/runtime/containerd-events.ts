/**
 * The ends of containers, out of containerd's own events service on the CRI socket. It works with every release
 * (1.6 has no GetContainerEvents) and says all of them, so the kubelet has nothing to poll.
 */
import {
  Backoff,
  CancelledError,
  Channel,
  Scope,
  abortable,
  deferred,
  type Clock,
  type Env,
} from "@knarr/base"
import { createCodec, createGrpcClient } from "@knarr/grpc"
import { isRuntimeNotFound, type RuntimeCalls, type RuntimeEvent } from "./container-runtime.ts"

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
  TaskOOM: { containerId: string }
}

const codec = createCodec<Messages>(
  {
    SubscribeRequest: "filters:1:[]string",
    PublishRequest: "topic:1:string event:2:Any",
    Envelope: "timestamp:1:Timestamp namespace:2:string topic:3:string event:4:Any",
    Any: "typeUrl:1:string value:2:bytes",
    Timestamp: "seconds:1:int64 nanos:2:int32",
    TaskExit: "containerId:1:string id:2:string pid:3:uint32 exitStatus:4:uint32 exitedAt:5:Timestamp",
    TaskOOM: "containerId:1:string",
  },
  {},
)

const service = "/containerd.services.events.v1.Events"
const namespace = "k8s.io"
/** We publish this one ourselves: when it comes back, the subscription stands. */
const markTopic = "/knarr/subscribed"

const exitTopic = "/tasks/exit"
const oomTopic = "/tasks/oom"

/** Events that wait for the kubelet; beyond it they are dropped and a resync takes their place. */
const eventBound = 4096
const minBackoffMs = 25
const maxBackoffMs = 2000
/** How long the CRI may take to give the reason of an end: its word that memory ran out comes on its own. */
const reasonLimitMs = 5000
/** Between two questions whether the CRI knows of an end. */
const maxSettlePauseMs = 1000

interface WatchOptions {
  readonly socket: string
  readonly env: Env
  readonly runtime: RuntimeCalls
  /** The call under way that ends this container or sandbox; it resolves with whether the CRI has said that it ended. */
  readonly ending: (id: string) => Promise<boolean> | undefined
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
  readonly #ending: WatchOptions["ending"]
  readonly #scope: Scope
  readonly #out = new Channel<RuntimeEvent>(eventBound)
  #overflowed = false
  /** Containers that ran out of memory: their end is told once the CRI gives that as its reason. */
  readonly #outOfMemory = new Set<string>()

  constructor({ socket, env, runtime, ending }: WatchOptions, scope: Scope) {
    this.#socket = socket
    this.#env = env
    this.#runtime = runtime
    this.#ending = ending
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
    const topics = [exitTopic, oomTopic, markTopic]
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

  #receive({ topic, event, timestamp }: Messages["Envelope"]): void {
    if (!event) return
    if (topic === oomTopic) {
      this.#outOfMemory.add(codec.decode("TaskOOM", event.value).containerId)
      return
    }
    const { containerId, id, exitStatus, exitedAt } = codec.decode("TaskExit", event.value)
    if (id !== "" && id !== containerId) return
    const atMs = millisOf(exitedAt ?? timestamp)
    this.#scope.run(
      `end of ${containerId}`,
      async (signal) => {
        await this.#settle(containerId, signal)
        this.#outOfMemory.delete(containerId)
        this.#push({ type: "stopped", containerId, exitCode: exitStatus, atMs })
      },
      { contained: true },
    )
  }

  #push(event: RuntimeEvent): void {
    if (!this.#out.push(event) && !this.#out.closed) this.#overflowed = true
  }

  /**
   * Waits until the CRI says that the container or sandbox has ended, since it learns of it at the same time as we
   * do: what it says before is what the kubelet would see, and nothing would tell it to look again. Whoever has asked
   * for the end is told by the CRI itself: then nobody has to ask again.
   */
  async #settle(id: string, signal: AbortSignal): Promise<void> {
    const { clock } = this.#env
    const deadline = clock.monotonic() + reasonLimitMs
    const ending = this.#ending(id)
    if (ending) {
      using limit = deadlineOf(clock, reasonLimitMs)
      const ended = await abortable(Promise.race([ending, limit.passed]), signal)
      if (ended && !this.#outOfMemory.has(id)) return
    }
    const pause = new Backoff({ firstMs: 2, maxMs: maxSettlePauseMs })
    while (!(await this.#hasEnded(id, signal))) {
      if (clock.monotonic() >= deadline) this.#outOfMemory.delete(id)
      await pause.wait(clock, signal)
    }
  }

  async #hasEnded(id: string, signal: AbortSignal): Promise<boolean> {
    try {
      const { status } = await this.#runtime.containerStatus({ containerId: id }, { signal })
      // While its start is still being written down, one that has already ended is "created".
      if (status?.state === "CONTAINER_CREATED" || status?.state === "CONTAINER_RUNNING") return false
      return !this.#outOfMemory.has(id) || status?.reason === "OOMKilled"
    } catch (thrown) {
      signal.throwIfAborted()
      if (!isRuntimeNotFound(thrown)) return false
    }
    try {
      const { status } = await this.#runtime.podSandboxStatus({ podSandboxId: id }, { signal })
      return status?.state !== "SANDBOX_READY"
    } catch (thrown) {
      signal.throwIfAborted()
      // What is gone has ended.
      return isRuntimeNotFound(thrown)
    }
  }
}

/** A promise of `false` for when the time has passed. */
function deadlineOf(clock: Clock, ms: number): Disposable & { readonly passed: Promise<false> } {
  const { promise, resolve } = deferred<false>()
  const timer = clock.timer(ms, () => resolve(false))
  return { passed: promise, [Symbol.dispose]: () => timer[Symbol.dispose]() }
}

function millisOf(time: Timestamp | undefined): number {
  return time ? time.seconds * 1000 + Math.floor(time.nanos / 1e6) : 0
}
