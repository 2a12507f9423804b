/**
 * What happened while pods were being scheduled, so that none that comes back misses what would have helped it.
 * Mirrors: pkg/scheduler/backend/queue/active_queue.go inFlightEvents
 */
import type { ClusterEvent } from "../framework/cluster-event.ts"

export interface HappenedEvent {
  readonly event: ClusterEvent
  readonly old: unknown
  readonly now: unknown
  /** Only of concern to this pod. */
  readonly uid?: string | undefined
}

/** Of more events, pods in flight are told that they missed some. */
const bound = 10_000

export class InFlightEvents {
  #events: HappenedEvent[] = []
  /** The number of the first event that is kept. */
  #first = 0
  /** Pod UID → the number of the first event that it has not seen; the oldest first. */
  readonly #pods = new Map<string, number>()

  has(uid: string): boolean {
    return this.#pods.has(uid)
  }

  begin(uid: string): void {
    this.#pods.set(uid, this.#first + this.#events.length)
  }

  record(event: HappenedEvent): void {
    if (this.#pods.size === 0) return
    this.#events.push(event)
    if (this.#events.length >= 2 * bound) this.#drop(bound)
  }

  /** What happened meanwhile, or undefined when that was too much to keep. The pod is in flight no more. */
  end(uid: string): readonly HappenedEvent[] | undefined {
    const from = this.#pods.get(uid)
    if (from === undefined) return []
    const missed = from < this.#first ? undefined : this.#events.slice(from - this.#first)
    this.#pods.delete(uid)
    const oldest = this.#pods.values().next().value ?? Number.POSITIVE_INFINITY
    this.#drop(Math.min(Math.max(oldest - this.#first, 0), this.#events.length))
    return missed
  }

  #drop(count: number): void {
    if (count === 0) return
    this.#events = this.#events.slice(count)
    this.#first += count
  }
}
