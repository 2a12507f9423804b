/**
 * Reads a kind, then watches it, for ever: after the watch ends it goes on from the last resourceVersion, and reads
 * all again only when that is too old. The one loop of this sort. Mirrors: client-go tools/cache/reflector.go
 */
import { Backoff, type Env } from "@knarr/base"
import {
  hasStatusCause,
  isExpired,
  isGone,
  isInvalid,
  statusErrorFrom,
  type Kind,
  type KubeObject,
} from "@knarr/apimachinery"
import type { Client, WatchEvent } from "./client.ts"
import { listPages } from "./list-pages.ts"

export interface ReflectorTarget<T> {
  /** All objects there are now; `resourceVersion` is when. */
  replace(items: readonly T[], resourceVersion: string | undefined): void
  changed(obj: T): void
  deleted(obj: T): void
  /** Everything up to there has been told. Default: nobody wants to know. */
  progressed?(resourceVersion: string | undefined): void
  /** Reading or watching failed and is tried again. Default: it is logged as a warning. */
  failed?(thrown: unknown): void
  /** Asked after each change: true ends the reflector. Default: never. */
  isDone?(): boolean
}

export interface ReflectorOptions<T extends KubeObject> {
  readonly client: Client
  readonly kind: Kind<T>
  readonly env: Env
  readonly namespace?: string | undefined
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
  /**
   * Objects come one by one on the watch, from the first on, so that no long answer is held at both ends. Default
   * false: they are listed, which costs nothing in the server's own process.
   */
  readonly streamsInitial?: boolean | undefined
  readonly target: ReflectorTarget<T>
}

const firstBackoffMs = 800
const maxBackoffMs = 30_000
/** Between an expired watch and the next list, or an orderly end and the next watch: short, and not none. */
const pauseMs = 10
/** A watch that ends so soon without an event is a failure of the server. */
const shortWatchMs = 1000

/** Runs until the signal is aborted. Failures are told once each and retried with back-off and jitter. */
export async function runReflector<T extends KubeObject>(
  options: ReflectorOptions<T>,
  signal: AbortSignal,
): Promise<void> {
  const { env, kind, target } = options
  const reflector = new Reflector(options, signal)
  const jitter = { share: 1, random: env.random }
  const backoff = new Backoff({ firstMs: firstBackoffMs, maxMs: maxBackoffMs, jitter })
  while (!signal.aborted && !target.isDone?.()) {
    try {
      if (await reflector.follow()) backoff.reset()
      if (!target.isDone?.()) await env.clock.sleep(pauseMs, signal)
    } catch (thrown) {
      if (signal.aborted) return
      if (reflector.heardSomething) backoff.reset()
      if (isTooOld(thrown)) {
        reflector.readAgain()
        await env.clock.sleep(pauseMs, signal).catch(() => {})
        continue
      }
      if (target.failed) target.failed(thrown)
      else env.log.warn("Watch failed, retrying", { kind: kind.kind, err: thrown })
      await backoff.wait(env.clock, signal).catch(() => {})
    }
  }
}

function isTooOld(thrown: unknown): boolean {
  return isGone(thrown) || isExpired(thrown)
}

class Reflector<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>
  readonly #signal: AbortSignal
  readonly #selection: Pick<ReflectorOptions<T>, "namespace" | "labelSelector" | "fieldSelector">
  /** Up to where the target has seen everything. */
  #resourceVersion: string | undefined
  #mustRead = true
  #streamsInitial: boolean
  /** The last {@link follow} brought an event. */
  heardSomething = false

  constructor(options: ReflectorOptions<T>, signal: AbortSignal) {
    const { namespace, labelSelector, fieldSelector } = options
    this.#options = options
    this.#signal = signal
    this.#selection = { namespace, labelSelector, fieldSelector }
    this.#streamsInitial = options.streamsInitial ?? false
  }

  /** The watch cannot go on from where it was. */
  readAgain(): void {
    this.#mustRead = true
  }

  /** Reads if it must, then watches until the server ends it. True when an event came. */
  async follow(): Promise<boolean> {
    this.heardSomething = false
    if (this.#mustRead && this.#streamsInitial) await this.#tryStream()
    else {
      if (this.#mustRead) await this.#list()
      if (!this.#options.target.isDone?.()) await this.#watch(this.#resourceVersion, false)
    }
    return this.heardSomething
  }

  /** First from what the server has at hand, later no older than what was seen; newest of all when that cannot be. */
  async #list(): Promise<void> {
    const { client, kind, target } = this.#options
    const query = { ...this.#selection, signal: this.#signal }
    let list
    try {
      list = await client.list(kind, { ...query, resourceVersion: this.#resourceVersion ?? "0" })
    } catch (thrown) {
      if (!isTooOld(thrown) && !isTooNew(thrown)) throw thrown
      list = await listPages(client, kind, query)
    }
    target.replace(list.items, list.metadata.resourceVersion)
    this.#resourceVersion = list.metadata.resourceVersion!
    this.#mustRead = false
  }

  async #tryStream(): Promise<void> {
    try {
      await this.#watch(this.#resourceVersion, true)
    } catch (thrown) {
      if (!this.#mustRead || this.#signal.aborted) throw thrown
      if (isTooOld(thrown) || isTooNew(thrown)) return this.#watch(undefined, true)
      // A server that does not know this way.
      if (!isInvalid(thrown)) throw thrown
      this.#streamsInitial = false
      return this.#list()
    }
  }

  async #watch(resourceVersion: string | undefined, sendInitialEvents: boolean): Promise<void> {
    const { client, kind, env, target } = this.#options
    const startedMs = env.clock.monotonic()
    const events = client.watch(kind, {
      ...this.#selection,
      resourceVersion,
      allowWatchBookmarks: true,
      ...(sendInitialEvents ? { sendInitialEvents } : {}),
      signal: this.#signal,
    })
    const initial = new Map<string, T>()
    for await (const event of events) {
      if (event.type === "ERROR") throw statusErrorFrom(event.object)
      this.heardSomething = true
      if (this.#mustRead) this.#takeInitial(event, initial)
      else this.#take(event)
      if (target.isDone?.()) return
    }
    if (!this.heardSomething && env.clock.monotonic() - startedMs < shortWatchMs)
      throw new Error(
        "very short watch: Unexpected watch close - watch lasted less than a second and no items received",
      )
  }

  #take(event: Exclude<WatchEvent<T>, { type: "ERROR" }>): void {
    const { target } = this.#options
    if (event.type === "DELETED") target.deleted(event.object)
    else if (event.type === "BOOKMARK") target.progressed?.(event.object.metadata.resourceVersion)
    else target.changed(event.object)
    this.#resourceVersion = event.object.metadata.resourceVersion
  }

  /** Nothing is told before all is there: until then an object that is missing may still come. */
  #takeInitial({ type, object }: Exclude<WatchEvent<T>, { type: "ERROR" }>, initial: Map<string, T>): void {
    const { namespace = "", name, annotations, resourceVersion } = object.metadata
    if (type === "DELETED") initial.delete(`${namespace}/${name}`)
    else if (type !== "BOOKMARK") initial.set(`${namespace}/${name}`, object)
    else if (annotations?.["k8s.io/initial-events-end"] === "true") {
      this.#options.target.replace([...initial.values()], resourceVersion)
      initial.clear()
      this.#resourceVersion = resourceVersion
      this.#mustRead = false
    }
  }
}

/** The server has not seen what is asked for: it was set back, or is another one that lags. */
function isTooNew(thrown: unknown): boolean {
  return hasStatusCause(thrown, "ResourceVersionTooLarge")
}
