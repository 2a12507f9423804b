/**
 * Pods that wait for a node. Active ones come in the order of the plugin that sorts the queue; refused ones wait
 * until a plugin that refused them takes an event for a help, then for the rest of their back-off; gated ones have
 * not been let in yet. See README.md. Mirrors: pkg/scheduler/backend/queue/scheduling_queue.go
 */
import { abortable, deferred, type Env } from "@knarr/base"
import type { Pod } from "@knarr/api"
import {
  ActionType,
  covers,
  eventLabel,
  eventOf,
  podEvents,
  type ClusterEvent,
  type ClusterEventWithHint,
} from "../framework/cluster-event.ts"
import { PluginError, type QueuedPod } from "../framework/plugin.ts"
import type { Profile } from "../framework/profile.ts"
import { SchedulerMetrics, type QueueName } from "../metrics.ts"
import { Heap } from "./heap.ts"
import { InFlightEvents, type HappenedEvent } from "./in-flight-events.ts"

/** Doubles from the first to the longest, in milliseconds. */
export interface QueueBackoff {
  readonly firstMs: number
  readonly maxMs: number
}

const defaultBackoff: QueueBackoff = { firstMs: 1_000, maxMs: 10_000 }
/** A refused pod is tried again after this long, whatever happened. */
const flushAfterMs = 300_000

type State = QueueName | "in flight"

/** Who refused a pod; nobody when its attempt failed. */
export interface Refusers {
  readonly unschedulablePlugins: ReadonlySet<string>
  /** These ask for another attempt, without a back-off, as soon as one of their events comes. */
  readonly pendingPlugins: ReadonlySet<string>
}

const nobody: Refusers = { unschedulablePlugins: new Set(), pendingPlugins: new Set() }

interface Entry extends QueuedPod {
  pod: Readonly<Pod>
  timestampMs: number
  attempts: number
  /** Among those that the plugin does not tell apart. */
  readonly order: number
  state: State
  refusers: Refusers
  /** How often it was refused, and how often in a row its attempt failed: what its back-off grows with. */
  refusals: number
  failures: number
  backoffUntilMs: number
  timer: Disposable | undefined
}

/** What an event does to a pod. */
type Help = "none" | "after back-off" | "at once"

export interface SchedulingQueueOptions {
  readonly env: Pick<Env, "clock" | "log" | "meter">
  /** The profile of a pod; of one without, nothing is asked. */
  profileOf(pod: Readonly<Pod>): Pick<Profile, "preEnqueue" | "events"> | undefined
  less(a: QueuedPod, b: QueuedPod): boolean
  /** Default: from 1 s to 10 s. */
  readonly backoff?: QueueBackoff | undefined
  /** Plugins failed before the pod could be queued; it is tried again. */
  onFailure(pod: Readonly<Pod>, thrown: unknown): void
  /** Everything that some profile's plugin listens for: nothing else is looked at. */
  readonly interests: readonly ClusterEvent[]
}

export class SchedulingQueue implements Disposable {
  readonly #options: SchedulingQueueOptions
  readonly #metrics: SchedulerMetrics
  readonly #entries = new Map<string, Entry>()
  readonly #active: Heap<Entry>
  /** Refused pods on back-off; they are taken early when nothing is active. Those that failed are not among them. */
  readonly #backoff: Heap<Entry>
  readonly #refused = new Set<Entry>()
  readonly #inFlight = new InFlightEvents()
  #order = 0
  #wake = deferred()

  constructor(options: SchedulingQueueOptions) {
    this.#options = options
    this.#metrics = new SchedulerMetrics(options.env)
    const { less } = options
    const before = (a: Entry, b: Entry): boolean => less(a, b) || (!less(b, a) && a.order < b.order)
    this.#active = new Heap(before)
    this.#backoff = new Heap(
      (a, b) =>
        a.backoffUntilMs < b.backoffUntilMs || (a.backoffUntilMs === b.backoffUntilMs && before(a, b)),
    )
  }

  get size(): number {
    return this.#entries.size
  }

  /** How many pods are where. */
  pending(): Readonly<Record<QueueName, number>> {
    const pods = { active: 0, backoff: 0, unschedulable: 0, gated: 0 }
    for (const { state } of this.#entries.values()) if (state !== "in flight") pods[state]++
    return pods
  }

  /** Those that were refused at last, each with who did. */
  *refusals(): Iterable<readonly [pod: Readonly<Pod>, plugin: string]> {
    for (const { pod, state, refusers } of this.#entries.values()) {
      if (state === "in flight") continue
      for (const plugin of refusers.unschedulablePlugins) yield [pod, plugin]
      for (const plugin of refusers.pendingPlugins) yield [pod, plugin]
    }
  }

  /** A pod without a node, new or changed. */
  update(pod: Readonly<Pod>): void {
    const { uid } = pod.metadata
    const entry = this.#entries.get(uid)
    if (!entry) return this.#add(pod)
    const old = entry.pod
    entry.pod = pod
    if (entry.state === "active") return this.#active.push(entry)
    if (entry.state === "backoff") return
    const events = podEvents(pod, old, "TargetPod").map((event) => ({ event, old, now: pod, uid }))
    if (entry.state === "in flight") for (const event of events) this.#inFlight.record(event)
    else this.#help(entry, events)
  }

  #add(pod: Readonly<Pod>): void {
    const now = this.#options.env.clock.now()
    const entry: Entry = {
      pod,
      timestampMs: now,
      firstMs: now,
      attempts: 0,
      order: this.#order++,
      state: "gated",
      refusers: nobody,
      refusals: 0,
      failures: 0,
      backoffUntilMs: 0,
      timer: undefined,
    }
    this.#entries.set(pod.metadata.uid, entry)
    this.#requeue(entry, "at once", "UnscheduledPodAdd")
  }

  remove(uid: string): void {
    const entry = this.#entries.get(uid)
    if (entry) this.#leave(entry)
    this.#inFlight.end(uid)
    this.#entries.delete(uid)
  }

  /** The best active pod; it is in flight until `done` or `refused`. */
  async next(signal: AbortSignal): Promise<QueuedPod> {
    for (;;) {
      signal.throwIfAborted()
      const entry = this.#active.peek() ?? this.#backoff.peek()
      if (entry) {
        this.#leave(entry)
        entry.state = "in flight"
        entry.attempts++
        this.#inFlight.begin(entry.pod.metadata.uid)
        return entry
      }
      this.#wake = deferred()
      await abortable(this.#wake.promise, signal)
    }
  }

  /** Assigned, or gone: it does not come back by itself. */
  done(uid: string): void {
    this.#inFlight.end(uid)
    if (this.#entries.get(uid)?.state === "in flight") this.#entries.delete(uid)
  }

  /**
   * What `next` gave comes back: nobody could take it, or its attempt failed. `pod` is as the API has it now. One
   * that was removed or queued again meanwhile stays as it is.
   */
  refused(queued: QueuedPod, pod: Readonly<Pod>, refusers: Refusers = nobody): void {
    const { uid } = pod.metadata
    const missed = this.#inFlight.end(uid)
    const entry = queued as Entry
    if (entry.state !== "in flight" || (this.#entries.get(uid) ?? entry) !== entry) return
    this.#entries.set(uid, entry)
    entry.pod = pod
    this.#noteRefusal(entry, refusers)
    const isSure = entry.failures > 0 || missed === undefined
    this.#requeue(entry, isSure ? "after back-off" : this.#helpOf(entry, missed), "ScheduleAttemptFailure")
  }

  #noteRefusal(entry: Entry, refusers: Refusers): void {
    const isFailure = refusers.unschedulablePlugins.size === 0 && refusers.pendingPlugins.size === 0
    entry.refusers = refusers
    entry.failures = isFailure ? entry.failures + 1 : 0
    if (!isFailure) entry.refusals++
    entry.timestampMs = this.#options.env.clock.now()
    const doublings = (isFailure ? entry.failures : entry.refusals) - 1
    const { firstMs, maxMs } = this.#options.backoff ?? defaultBackoff
    entry.backoffUntilMs = entry.timestampMs + Math.min(firstMs * 2 ** doublings, maxMs)
  }

  /** Something happened: pods that it may help are tried again; `concerns` says which are asked at all. */
  moveAll(
    event: ClusterEvent,
    old: unknown,
    now: unknown,
    concerns: (pod: Readonly<Pod>) => boolean = () => true,
  ): void {
    if (!this.#options.interests.some((wanted) => covers(wanted, event))) return
    const happened = { event, old, now }
    this.#inFlight.record(happened)
    for (const entry of [...this.#refused]) if (concerns(entry.pod)) this.#help(entry, [happened])
  }

  /** Tries these pods again now, whatever their plugins wait for. */
  activate(pods: readonly Readonly<Pod>[]): void {
    for (const { metadata } of pods) {
      const entry = this.#entries.get(metadata.uid)
      if (!entry || entry.state === "active") continue
      if (entry.state !== "in flight") this.#requeue(entry, "at once", "ForceActivate")
      else this.#inFlight.record({ event: forceActivate, old: undefined, now: entry.pod, uid: metadata.uid })
    }
  }

  #help(entry: Entry, events: readonly HappenedEvent[]): void {
    const help = this.#helpOf(entry, events)
    if (help !== "none") this.#requeue(entry, help, eventLabel(events[0]!.event))
  }

  #helpOf(entry: Entry, events: readonly HappenedEvent[]): Help {
    const wanted = this.#options.profileOf(entry.pod)?.events
    let help: Help = "none"
    for (const happened of events) {
      if (happened.uid !== undefined && happened.uid !== entry.pod.metadata.uid) continue
      if (happened.event === forceActivate) return "at once"
      for (const plugin of entry.refusers.pendingPlugins)
        if (this.#isHelped(plugin, wanted?.get(plugin), entry, happened)) return "at once"
      if (help !== "none") continue
      for (const plugin of entry.refusers.unschedulablePlugins)
        if (this.#isHelped(plugin, wanted?.get(plugin), entry, happened)) help = "after back-off"
    }
    return help
  }

  #isHelped(
    plugin: string,
    wanted: readonly ClusterEventWithHint[] | undefined,
    entry: Entry,
    { event, old, now }: HappenedEvent,
  ): boolean {
    return (wanted ?? []).some((one) => {
      if (!covers(one.event, event)) return false
      try {
        return one.hint?.(entry.pod, old, now) !== "QueueSkip"
      } catch (thrown) {
        const failure = new PluginError(plugin, "queueingHint", thrown)
        this.#options.env.log.error("A plugin failed, taking the event for a help", failure, {
          pod: `${entry.pod.metadata.namespace}/${entry.pod.metadata.name}`,
        })
        return true
      }
    })
  }

  /** Puts the pod where it belongs now, out of whatever it was in; `because` is told by metrics. */
  #requeue(entry: Entry, help: Help, because: string): void {
    const { clock } = this.#options.env
    this.#leave(entry)
    if (help === "none") return this.#wait(entry, "unschedulable", because)
    try {
      const refusal = this.#options.profileOf(entry.pod)?.preEnqueue(entry.pod)
      if (refusal) {
        entry.refusers = { ...nobody, unschedulablePlugins: new Set([refusal.plugin!]) }
        return this.#wait(entry, "gated", because)
      }
    } catch (thrown) {
      this.#options.onFailure(entry.pod, thrown)
      this.#noteRefusal(entry, nobody)
      help = "after back-off"
    }
    const leftMs = entry.backoffUntilMs - clock.now()
    if (help === "after back-off" && leftMs > 0) {
      entry.state = "backoff"
      entry.timer = clock.timer(leftMs, () => this.#requeue(entry, "after back-off", "BackoffComplete"))
      this.#metrics.queued("backoff", because)
      if (entry.failures > 0) return
      this.#backoff.push(entry)
    } else {
      entry.state = "active"
      this.#metrics.queued("active", because)
      this.#active.push(entry)
    }
    this.#wake.resolve()
  }

  #wait(entry: Entry, state: "unschedulable" | "gated", because: string): void {
    entry.state = state
    this.#metrics.queued(state, because)
    this.#refused.add(entry)
    if (state === "unschedulable")
      entry.timer = this.#options.env.clock.timer(flushAfterMs, () =>
        this.#requeue(entry, "after back-off", "UnschedulableTimeout"),
      )
  }

  #leave(entry: Entry): void {
    entry.timer?.[Symbol.dispose]()
    entry.timer = undefined
    this.#active.delete(entry)
    this.#backoff.delete(entry)
    this.#refused.delete(entry)
  }

  [Symbol.dispose](): void {
    for (const entry of this.#entries.values()) entry.timer?.[Symbol.dispose]()
  }
}

const forceActivate = eventOf("*", ActionType.All)
