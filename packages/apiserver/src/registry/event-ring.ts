/** The newest events of one resource, bounded by count and bytes, so that a watch resumes without asking the store. */
import type { CacheEvent } from "./cache-event.ts"

export interface EventRingLimits {
  readonly events: number
  readonly bytes: number
}

export class EventRing {
  readonly #limits: EventRingLimits
  #events: CacheEvent[] = []
  #head = 0
  #bytes = 0
  #since: number

  /** `since`: every event after this revision will be here, at first. */
  constructor(limits: EventRingLimits, since: number) {
    this.#limits = limits
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

  push(event: CacheEvent): void {
    this.#events.push(event)
    this.#bytes += bytesOf(event)
    while (
      this.#events.length - this.#head > this.#limits.events ||
      (this.#bytes > this.#limits.bytes && this.#events.length - this.#head > 1)
    ) {
      const oldest = this.#events[this.#head]!
      this.#events[this.#head++] = undefined as unknown as CacheEvent
      this.#bytes -= bytesOf(oldest)
      this.#since = oldest.revision
    }
    if (this.#head > 1024 && this.#head * 2 > this.#events.length) {
      this.#events = this.#events.slice(this.#head)
      this.#head = 0
    }
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
}

/** What an event may hold on to: the state before it can be the last thing that refers to its bytes. */
function bytesOf({ object, previous }: CacheEvent): number {
  return object.bytes.length + (previous?.bytes.length ?? 0)
}
