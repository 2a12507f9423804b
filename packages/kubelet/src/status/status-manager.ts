/**
 * Writes pod statuses to the API: the newest of each pod, one write per pod at a time, only what has changed; and
 * ends pods for good when they are done.
 * Mirrors: pkg/kubelet/status/status_manager.go
 */
import { pod as podKind, type Pod, type PodStatus } from "@knarr/api"
import {
  createTwoWayMergePatch,
  isConflict,
  isForbidden,
  isInvalid,
  isNotFound,
  jsonClone,
  semanticEqual,
  type JsonObject,
} from "@knarr/apimachinery"
import { Backoff, Semaphore, type Env, type Scope } from "@knarr/base"
import type { Client } from "@knarr/client"
import type { StatusManager } from "../contract.ts"
import {
  configHashAnnotation,
  configMirrorAnnotation,
  isMirrorPod,
  isStaticPod,
} from "../pod-worker/labels.ts"
import { withContainerReadiness } from "./container-readiness.ts"
import { mergeStatus, normalizeStatus } from "./merge-status.ts"

export interface StatusManagerOptions {
  readonly env: Env
  readonly scope: Scope
  readonly client: Client
  /** Writes of different pods at the same time; default 8. */
  readonly maxInFlight?: number
}

interface Entry {
  /** As the source has it: for static pods this is not an object of the API. */
  pod: Readonly<Pod>
  status: PodStatus | undefined
  /** The newest object of the API that is known; a mirror for static pods. */
  known: Readonly<Pod> | undefined
  finished: boolean
  dirty: boolean
  running: boolean
}

const firstRetryMs = 100
const maxRetryMs = 10_000
const mirrorRetryMs = 1000

export interface NodeStatusManager extends StatusManager {
  /**
   * A readiness probe's word, told at once: also while the pod is being ended, when nobody makes a new status.
   * Unknown pods and containers are ignored.
   */
  setContainerReadiness(podUid: string, container: string, ready: boolean): void
  /** A static pod's mirror, as the API has it: a new one is told the status. */
  mirrorSeen(mirror: Readonly<Pod>): void
}

export function createStatusManager(options: StatusManagerOptions): NodeStatusManager {
  return new Manager(options)
}

class Manager implements NodeStatusManager {
  readonly #env: Env
  readonly #client: Client
  readonly #scope: Scope
  readonly #slots: Semaphore
  readonly #entries = new Map<string, Entry>()

  constructor(options: StatusManagerOptions) {
    this.#env = options.env
    this.#client = options.client
    this.#scope = options.scope.child("status")
    this.#slots = new Semaphore(options.maxInFlight ?? 8)
  }

  set(pod: Readonly<Pod>, status: PodStatus): void {
    const entry = this.#entry(pod)
    const normalized = normalizeStatus(pod, status)
    const base = entry.status ?? entry.known?.status ?? {}
    entry.status = mergeStatus(pod, base, normalized, this.#env.clock.now())
    this.#write(entry)
  }

  get(podUid: string): Readonly<PodStatus> | undefined {
    const entry = this.#entries.get(podUid)
    return entry?.status ?? entry?.known?.status
  }

  setContainerReadiness(podUid: string, container: string, ready: boolean): void {
    const entry = this.#entries.get(podUid)
    const next = entry?.status && withContainerReadiness(entry.pod, entry.status, container, ready)
    if (next) this.set(entry.pod, next)
  }

  mirrorSeen(mirror: Readonly<Pod>): void {
    const entry = this.#entries.get(mirror.metadata.annotations?.[configMirrorAnnotation] ?? "")
    if (!entry?.status || entry.known?.metadata.uid === mirror.metadata.uid) return
    entry.known = mirror
    this.#write(entry)
  }

  finished(pod: Readonly<Pod>): void {
    const entry = this.#entry(pod)
    entry.finished = true
    this.#write(entry)
  }

  forget(podUid: string): void {
    this.#entries.delete(podUid)
  }

  #entry(pod: Readonly<Pod>): Entry {
    const { uid } = pod.metadata
    let entry = this.#entries.get(uid)
    if (!entry) {
      entry = { pod, status: undefined, known: undefined, finished: false, dirty: false, running: false }
      this.#entries.set(uid, entry)
    }
    entry.pod = pod
    if (!isStaticPod(pod) && isNewer(pod, entry.known)) entry.known = pod
    return entry
  }

  #write(entry: Entry): void {
    entry.dirty = true
    if (entry.running) return
    entry.running = true
    const name = `status of ${entry.pod.metadata.name}`
    this.#scope.run(name, (signal) => this.#drain(entry, signal), { contained: true })
  }

  /** Writes until there is nothing new. Failures wait, with what is newest then. */
  async #drain(entry: Entry, signal: AbortSignal): Promise<void> {
    const jitter = { share: 1, random: this.#env.random }
    const retry = new Backoff({ firstMs: firstRetryMs, maxMs: maxRetryMs, jitter })
    try {
      while (entry.dirty && this.#isCurrent(entry)) {
        entry.dirty = false
        const pod = `${entry.pod.metadata.namespace}/${entry.pod.metadata.name}`
        try {
          using _slot = await this.#slots.acquire(signal)
          await this.#sync(entry, signal)
          retry.reset()
        } catch (thrown) {
          if (signal.aborted) return
          if (thrown instanceof NoMirror) {
            entry.dirty = true
            await this.#env.clock.sleep(mirrorRetryMs, signal)
            continue
          }
          this.#env.log.warn("Cannot write a pod's status, retrying", { pod, err: thrown })
          entry.dirty = true
          await retry.wait(this.#env.clock, signal)
        }
      }
    } finally {
      // In the same turn as the last look at `dirty`: what is set after that begins anew.
      entry.running = false
    }
  }

  #isCurrent(entry: Entry): boolean {
    return this.#entries.get(entry.pod.metadata.uid) === entry
  }

  async #sync(entry: Entry, signal: AbortSignal): Promise<void> {
    if (!entry.known) await this.#read(entry, signal)
    for (let tries = 0; entry.known && this.#isCurrent(entry); tries++) {
      try {
        await this.#patch(entry, signal)
        await this.#delete(entry, signal)
        return
      } catch (thrown) {
        signal.throwIfAborted()
        if (isNotFound(thrown)) return this.#lost(entry)
        // Another object of that name, or one that has changed: look at what is there.
        const again = isConflict(thrown) || isInvalid(thrown) || isForbidden(thrown)
        if (!again || tries >= 2) throw thrown
        await this.#read(entry, signal)
      }
    }
  }

  /** Looks the object up; one with another uid is not ours. */
  async #read(entry: Entry, signal: AbortSignal): Promise<void> {
    const { pod } = entry
    const { namespace, name } = pod.metadata
    let found: Pod
    try {
      found = await this.#client.get(podKind, { namespace, name }, { signal })
    } catch (thrown) {
      // A node may not even ask for a mirror that is not there.
      if (isNotFound(thrown) || (isStaticPod(pod) && isForbidden(thrown))) return this.#lost(entry)
      throw thrown
    }
    const isOurs = isStaticPod(pod) ? isMirrorOf(found, pod) : found.metadata.uid === pod.metadata.uid
    if (isOurs) entry.known = found
    else this.#lost(entry)
  }

  /** The object is not (or no longer) at the API. A static pod's mirror will come again. */
  #lost(entry: Entry): void {
    entry.known = undefined
    if (isStaticPod(entry.pod)) throw new NoMirror("The mirror pod is not there yet")
  }

  async #patch(entry: Entry, signal: AbortSignal): Promise<void> {
    const { status, known } = entry
    if (!status || !known) return
    const merged = mergeStatus(entry.pod, known.status ?? {}, status, this.#env.clock.now())
    entry.status = merged
    if (semanticEqual(known.status ?? {}, merged)) return
    const before = { status: jsonClone(known.status ?? {}) } as unknown as JsonObject
    const after = { status: jsonClone(merged) } as unknown as JsonObject
    const patch = createTwoWayMergePatch(before, after, podKind.schema)
    if (Object.keys(patch).length === 0) return
    const { namespace, name, uid } = known.metadata
    const body = { metadata: { uid }, ...patch }
    const options = { subresource: "status", signal }
    entry.known = await this.#client.patch(podKind, { namespace, name }, "strategic", body, options)
  }

  /** Removes the object when the pod's end was asked for and everything of it is gone. */
  async #delete(entry: Entry, signal: AbortSignal): Promise<void> {
    const { known, pod } = entry
    if (!entry.finished || !known || entry.dirty || isStaticPod(pod) || isMirrorPod(pod)) return
    if (!known.metadata.deletionTimestamp && !pod.metadata.deletionTimestamp) return
    const { namespace, name, uid } = known.metadata
    const options = { gracePeriodSeconds: 0, preconditions: { uid }, signal }
    await this.#client.delete(podKind, { namespace, name }, options)
    if (this.#isCurrent(entry)) this.#entries.delete(pod.metadata.uid)
  }
}

class NoMirror extends Error {}

function isMirrorOf(found: Readonly<Pod>, pod: Readonly<Pod>): boolean {
  const hash = pod.metadata.annotations?.[configHashAnnotation] ?? pod.metadata.uid
  return found.metadata.annotations?.[configMirrorAnnotation] === hash
}

function isNewer(pod: Readonly<Pod>, known: Readonly<Pod> | undefined): boolean {
  if (!known || known.metadata.uid !== pod.metadata.uid) return true
  return Number(pod.metadata.resourceVersion ?? 0) > Number(known.metadata.resourceVersion ?? 0)
}
