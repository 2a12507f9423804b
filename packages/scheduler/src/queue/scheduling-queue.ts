/**
 * Pods that wait for a node: active ones by priority, refused ones until something happens that may help them,
 * and those on back-off in between. Mirrors: pkg/scheduler/backend/queue/scheduling_queue.go
 */
import { abortable, deferred, type Clock } from "@knarr/base"
import type { Pod } from "@knarr/api"
import { callPlugin, type ClusterEvent, type SchedulerPlugin } from "../framework.ts"

const firstBackoffMs = 1_000
const maxBackoffMs = 10_000
/** A refused pod is tried again after this long, whatever happened. */
const flushAfterMs = 300_000

interface Entry {
  pod: Readonly<Pod>
  attempts: number
  /** Order among pods of one priority. */
  readonly addedMs: number
  readonly order: number
  state: "active" | "backoff" | "unschedulable" | "gated" | "in flight"
  refusedBy: ReadonlySet<string>
  timer: Disposable | undefined
  /** An event that may help came while the pod was being scheduled. */
  helped: boolean
}

export class SchedulingQueue implements Disposable {
  readonly #clock: Clock
  readonly #plugins: readonly SchedulerPlugin[]
  readonly #entries = new Map<string, Entry>()
  /** Active entries, best last, so that taking one is cheap. */
  #active: Entry[] = []
  #sorted = true
  #order = 0
  #wake = deferred()
  /** Plugin name → events after which its refusals are looked at again. */
  readonly #events: ReadonlyMap<string, ReadonlySet<ClusterEvent>>
  readonly #onFailure: (pod: Readonly<Pod>, thrown: unknown) => void

  /** `onFailure` is told of a pod whose plugins failed before it could be queued; the pod is tried again. */
  constructor(
    clock: Clock,
    plugins: readonly SchedulerPlugin[],
    onFailure: (pod: Readonly<Pod>, thrown: unknown) => void,
  ) {
    this.#clock = clock
    this.#plugins = plugins
    this.#onFailure = onFailure
    this.#events = new Map(plugins.map((plugin) => [plugin.name, new Set(plugin.events)]))
  }

  get size(): number {
    return this.#entries.size
  }

  /** A pod without a node, new or changed. */
  update(pod: Readonly<Pod>): void {
    const { uid } = pod.metadata
    let entry = this.#entries.get(uid)
    const changed = entry !== undefined && isRelevantChange(entry.pod, pod)
    if (!entry) {
      entry = {
        pod,
        attempts: 0,
        addedMs: this.#clock.now(),
        order: this.#order++,
        state: "gated",
        refusedBy: new Set(),
        timer: undefined,
        helped: false,
      }
      this.#entries.set(uid, entry)
    }
    entry.pod = pod
    if (entry.state === "gated") this.#admit(entry)
    else if (changed) this.#consider(entry, "pod itself changed")
  }

  remove(uid: string): void {
    const entry = this.#entries.get(uid)
    if (!entry) return
    entry.timer?.[Symbol.dispose]()
    this.#entries.delete(uid)
    if (entry.state === "active") this.#active = this.#active.filter((other) => other !== entry)
  }

  /** The best active pod; it is in flight until `done` or `refused`. */
  async next(signal: AbortSignal): Promise<Readonly<Pod>> {
    for (;;) {
      signal.throwIfAborted()
      const entry = this.#take()
      if (entry) {
        entry.state = "in flight"
        entry.attempts++
        entry.helped = false
        return entry.pod
      }
      await abortable(this.#wake.promise, signal)
    }
  }

  /** Assigned, or gone. */
  done(uid: string): void {
    const entry = this.#entries.get(uid)
    if (entry?.state === "in flight") this.#entries.delete(uid)
  }

  /** No node could take it; `refusedBy` names the plugins that said so, none means that a plugin failed. */
  refused(pod: Readonly<Pod>, refusedBy: ReadonlySet<string>): void {
    const entry = this.#entries.get(pod.metadata.uid)
    if (!entry || entry.state !== "in flight") return
    entry.refusedBy = refusedBy
    if (entry.helped || refusedBy.size === 0) return this.#backOff(entry)
    entry.state = "unschedulable"
    entry.timer = this.#clock.timer(flushAfterMs, () => this.#backOff(entry))
  }

  /** Something happened: pods that it may help are tried again. */
  moveOn(event: ClusterEvent): void {
    for (const entry of this.#entries.values()) this.#consider(entry, event)
  }

  #consider(entry: Entry, event: ClusterEvent): void {
    if (entry.state === "in flight") entry.helped = true
    if (entry.state !== "unschedulable") return
    for (const name of entry.refusedBy) {
      if (this.#events.get(name)?.has(event)) return this.#backOff(entry)
    }
  }

  #backOff(entry: Entry): void {
    entry.timer?.[Symbol.dispose]()
    const ms = Math.min(firstBackoffMs * 2 ** Math.max(entry.attempts - 1, 0), maxBackoffMs)
    entry.state = "backoff"
    entry.timer = this.#clock.timer(ms, () => this.#admit(entry))
  }

  #admit(entry: Entry): void {
    entry.timer?.[Symbol.dispose]()
    entry.timer = undefined
    if (!this.#entries.has(entry.pod.metadata.uid)) return
    try {
      if (this.#isGated(entry.pod)) {
        entry.state = "gated"
        return
      }
    } catch (thrown) {
      this.#onFailure(entry.pod, thrown)
      entry.attempts++
      return this.#backOff(entry)
    }
    entry.state = "active"
    this.#active.push(entry)
    this.#sorted = false
    this.#wake.resolve()
  }

  #isGated(pod: Readonly<Pod>): boolean {
    return this.#plugins.some(
      (plugin) => callPlugin(plugin, "preEnqueue", () => plugin.preEnqueue?.(pod)) !== undefined,
    )
  }

  #take(): Entry | undefined {
    if (!this.#sorted) {
      this.#active.sort(worstFirst)
      this.#sorted = true
    }
    const entry = this.#active.pop()
    if (!entry) this.#wake = deferred()
    return entry
  }

  [Symbol.dispose](): void {
    for (const entry of this.#entries.values()) entry.timer?.[Symbol.dispose]()
  }
}

function worstFirst(a: Entry, b: Entry): number {
  return (a.pod.spec.priority ?? 0) - (b.pod.spec.priority ?? 0) || b.addedMs - a.addedMs || b.order - a.order
}

/** Status changes (a condition that we wrote ourselves) do not make a pod worth another try. */
function isRelevantChange(old: Readonly<Pod>, pod: Readonly<Pod>): boolean {
  return JSON.stringify([old.spec, old.metadata.labels]) !== JSON.stringify([pod.spec, pod.metadata.labels])
}
