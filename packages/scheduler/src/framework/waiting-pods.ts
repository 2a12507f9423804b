/** Pods that have a node and wait for plugins to permit their binding. Mirrors: framework/runtime/waiting_pods_map.go */
import { abortable, deferred, type Clock } from "@knarr/base"
import { formatGoDuration } from "@knarr/apimachinery"
import type { Pod } from "@knarr/api"
import { Status, unschedulable } from "./status.ts"

/** The longest that a plugin may hold a pod back. */
const maxWaitMs = 15 * 60_000

export interface WaitingPod {
  readonly pod: Readonly<Pod>
  readonly nodeName: string
  /** Plugins that have not allowed it yet. */
  readonly pendingPlugins: readonly string[]
  /** In the name of a plugin; the pod is bound when none is pending. */
  allow(plugin: string): void
  /** The pod cannot be scheduled this time. False when it waits no more. */
  reject(plugin: string, message: string): boolean
  /** The pod gives way to another, and is tried again. False when it waits no more. */
  preempt(plugin: string, message: string): boolean
}

class Waiting implements WaitingPod {
  readonly pod: Readonly<Pod>
  readonly nodeName: string
  readonly #timers = new Map<string, Disposable>()
  readonly #decision = deferred<Status | undefined>()
  #isDecided = false

  constructor(clock: Clock, pod: Readonly<Pod>, nodeName: string, waits: ReadonlyMap<string, number>) {
    this.pod = pod
    this.nodeName = nodeName
    for (const [plugin, asked] of waits) {
      const ms = Math.min(asked, maxWaitMs)
      const message = `rejected due to timeout after waiting ${formatGoDuration(ms)} at plugin ${plugin}`
      this.#timers.set(
        plugin,
        clock.timer(ms, () => void this.reject(plugin, message)),
      )
    }
  }

  get decision(): Promise<Status | undefined> {
    return this.#decision.promise
  }

  get pendingPlugins(): readonly string[] {
    return [...this.#timers.keys()]
  }

  allow(plugin: string): void {
    this.#timers.get(plugin)?.[Symbol.dispose]()
    this.#timers.delete(plugin)
    if (this.#timers.size === 0) this.decide(undefined)
  }

  reject(plugin: string, message: string): boolean {
    return this.decide(unschedulable(message).withPlugin(plugin))
  }

  preempt(plugin: string, message: string): boolean {
    return this.decide(new Status("Error", [message], { plugin }))
  }

  decide(status: Status | undefined): boolean {
    for (const timer of this.#timers.values()) timer[Symbol.dispose]()
    if (this.#isDecided) return false
    this.#isDecided = true
    this.#decision.resolve(status)
    return true
  }
}

export class WaitingPodMap {
  readonly #clock: Clock
  readonly #pods = new Map<string, Waiting>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `waits`: plugin → after how many milliseconds the pod is rejected. */
  add(pod: Readonly<Pod>, nodeName: string, waits: ReadonlyMap<string, number>): void {
    this.#pods.set(pod.metadata.uid, new Waiting(this.#clock, pod, nodeName, waits))
  }

  get(uid: string): WaitingPod | undefined {
    return this.#pods.get(uid)
  }

  list(): readonly WaitingPod[] {
    return [...this.#pods.values()]
  }

  /** What was decided of the pod: at once when it does not wait. */
  async decision(uid: string, signal: AbortSignal): Promise<Status | undefined> {
    const waiting = this.#pods.get(uid)
    if (!waiting) return undefined
    try {
      return await abortable(waiting.decision, signal)
    } finally {
      this.forget(uid)
    }
  }

  /** The pod waits no more, whatever would have been decided. */
  forget(uid: string): void {
    this.#pods.get(uid)?.decide(undefined)
    this.#pods.delete(uid)
  }
}
