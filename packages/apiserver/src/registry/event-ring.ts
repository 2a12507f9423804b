/**
 * The newest events of one resource, so that a watch resumes without asking the store. Bounded by count and bytes, by the
 * bytes of all resources together, and in time: what the store forgets is forgotten here.
 */
import type { CacheEvent } from "./cache-event.ts"

export interface EventRingLimits {
  readonly events: number
  readonly bytes: number
}

/** What the rings of all resources may hold together. */
export class HistoryBudget {
  readonly limit: number
  bytes = 0

  /** `limit` in bytes. */
  constructor(limit: number) {
    this.limit = limit
  }
}

/** So many events a resource keeps, whatever the others hold. */
const leastEvents = 64

export class EventRing {
  readonly #limits: EventRingLimits
  readonly #budget: HistoryBudget
  #events: CacheEvent[] = []
  #head = 0
  #bytes = 0
  #since: number

  /** `since`: every event after this revision will be here, at first. */
  constructor(limits: EventRingLimits, budget: HistoryBudget, since: number) {
    this.#limits = limits
    this.#budget = budget
    this.#since = since
  }

  /** All events after this revision are here. */
  get since(): number {
    return this.#since
  }

  /** The revision of the newest event, or {@link since}. */
  get newest(): number {
    return this.#events.length > this.#head ? this.#events[this.#events.length - 1]!.revision : this.#since
  }

  /** Events at most, as far as their bytes allow. */
  get capacity(): number {
    return this.#limits.events
  }

  /** What the events may hold on to. */
  get bytes(): number {
    return this.#bytes
  }

  push(event: CacheEvent): void {
    this.#events.push(event)
    this.#add(bytesOf(event))
    while (this.#isOver(this.#events.length - this.#head)) this.#dropOldest()
    if (this.#head > 1024) this.#trim()
  }

  /** Drops the events up to `revision`; a watch from a later one still finds all that it missed. */
  forget(revision: number): void {
    while (this.#head < this.#events.length && this.#events[this.#head]!.revision <= revision)
      this.#dropOldest()
    this.#trim()
  }

  /** Drops all events; nothing before `since` can be had. */
  clear(since: number): void {
    this.forget(Infinity)
    this.#since = since
  }

  /** The events after `revision`, which must not be before {@link since}. */
  after(revision: number): CacheEvent[] {
    let low = this.#head
    let high = this.#events.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#events[middle]!.revision <= revision) low = middle + 1
      else high = middle
    }
    return this.#events.slice(low)
  }

  #isOver(count: number): boolean {
    if (count > this.#limits.events || (this.#bytes > this.#limits.bytes && count > 1)) return true
    // The busiest resource takes the most turns, and so gives the most.
    return this.#budget.bytes > this.#budget.limit && count > leastEvents
  }

  #dropOldest(): void {
    const oldest = this.#events[this.#head]!
    this.#events[this.#head++] = undefined as unknown as CacheEvent
    this.#add(-bytesOf(oldest))
    this.#since = oldest.revision
  }

  #trim(): void {
    if (this.#head * 2 <= this.#events.length) return
    this.#events = this.#events.slice(this.#head)
    this.#head = 0
  }

  #add(bytes: number): void {
    this.#bytes += bytes
    this.#budget.bytes += bytes
  }
}

/** What an event may hold on to: the state before it can be the last thing that refers to its bytes. */
function bytesOf({ object, previous }: CacheEvent): number {
  return object.bytes.length + (previous?.bytes.length ?? 0)
}
