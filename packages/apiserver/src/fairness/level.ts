/**
 * One priority level: its seats, and the queues of those who wait for one. A request that finds enough free seats and nobody
 * waiting takes them at once. Others wait in the least laden queue of their flow's hand, and go when it is their queue's turn
 * by virtual time: each queue that has somebody waiting gets as much as any other, whatever its length.
 * Mirrors: apiserver pkg/util/flowcontrol/fairqueuing/queueset/queueset.go
 */
import { deferred, type Clock, type Deferred } from "@knarr/base"
import { tooManyRequests } from "@knarr/apimachinery"
import type { SeatLimits } from "./limits.ts"
import { SeatDemand } from "./limits.ts"
import { deal, hashOfFlow } from "./shuffle-sharding.ts"

export interface LevelSpec {
  readonly name: string
  readonly uid: string
  readonly isExempt: boolean
  /** Undefined: who finds no seat is refused. */
  readonly queuing:
    | { readonly queues: number; readonly handSize: number; readonly queueLengthLimit: number }
    | undefined
}

/** A request as a level sees it. */
export interface Work {
  readonly schema: string
  readonly distinguisher: string
  readonly seats: number
  /** What debugging wants to know. */
  readonly describe: () => readonly string[]
}

/** A request that has its seats, or waits for them. */
export interface Ticket extends Work {
  readonly arrivedMs: number
  /** 0 while it waits. */
  startedMs: number
  readonly queue: Queue | undefined
}

interface Waiting extends Ticket {
  readonly turn: Deferred<void>
  readonly queue: Queue
}

interface Queue {
  readonly index: number
  waiting: Waiting[]
  readonly executing: Set<Ticket>
  seatsInUse: number
  /** In virtual seconds: when its next request's service begins. */
  nextDispatch: number
}

export type Refusal = "concurrency-limit" | "queue-full" | "time-out" | "cancelled"

/** Of each request, before it is known better. */
const expectedServiceSeconds = 0.003

/** Refused for lack of room. */
export class NoSeat extends Error {
  readonly reason: Refusal
  constructor(reason: Refusal) {
    super(tooManyRequests("Too many requests, please try again later.", 1).message)
    this.reason = reason
  }
}

export class Level {
  spec: LevelSpec
  limits: SeatLimits = { nominal: 0, min: 0, max: 0 }
  /** Seats now. */
  seats = 0
  /** Seats that a request may take at the most. */
  maxSeats = 10
  /** No object is about it any more; it goes when its last request has ended. */
  quiescing = false
  readonly demand: SeatDemand
  readonly #clock: Clock
  #queues: Queue[] = []
  readonly #withoutQueue = new Set<Ticket>()
  #seatsInUse = 0
  #waitingSeats = 0
  #waiting = 0
  #executing = 0
  /** The queue that was last served; the next one comes first where all are alike. */
  #last = -1
  #virtual = 0
  #virtualAt: number
  dispatched = 0
  rejected = 0
  timedOut = 0
  cancelled = 0

  constructor(spec: LevelSpec, clock: Clock) {
    this.spec = spec
    this.#clock = clock
    const now = clock.monotonic()
    this.demand = new SeatDemand(now)
    this.#virtualAt = now
    this.configure(spec)
  }

  configure(spec: LevelSpec): void {
    this.spec = spec
    const wanted = spec.queuing?.queues ?? 0
    for (let index = this.#queues.length; index < wanted; index++)
      this.#queues.push({ index, waiting: [], executing: new Set(), seatsInUse: 0, nextDispatch: 0 })
    // Queues that are too many go when nobody is in them any more.
    while (this.#queues.length > wanted && isIdle(this.#queues.at(-1)!)) this.#queues.pop()
  }

  get waiting(): number {
    return this.#waiting
  }

  get waitingSeats(): number {
    return this.#waitingSeats
  }

  get executing(): number {
    return this.#executing
  }

  get seatsInUse(): number {
    return this.#seatsInUse
  }

  get isIdle(): boolean {
    return this.#waiting === 0 && this.#executing === 0
  }

  get queues(): readonly Readonly<Queue>[] {
    return this.#queues
  }

  get withoutQueue(): ReadonlySet<Ticket> {
    return this.#withoutQueue
  }

  get virtualNow(): number {
    this.#advance(this.#clock.monotonic())
    return this.#virtual
  }

  /** The level has `seats` from now on. */
  setSeats(seats: number): void {
    this.seats = seats
    if (this.#waiting > 0) this.#dispatch()
  }

  /**
   * Takes a request's seats: at once, or a promise of them. `limitMs` is how long it may wait; `signal` ends that.
   * Throws, or rejects with, {@link NoSeat}.
   */
  enter(work: Work, nowMs: number, limitMs: number, signal: () => AbortSignal): Ticket | Promise<Ticket> {
    const { isExempt, queuing } = this.spec
    const ticket: Ticket = {
      schema: work.schema,
      distinguisher: work.distinguisher,
      seats: work.seats,
      describe: work.describe,
      arrivedMs: nowMs,
      startedMs: nowMs,
      queue: undefined,
    }
    if (isExempt || (this.#waiting === 0 && this.#fits(work.seats))) {
      this.#withoutQueue.add(ticket)
      this.#begin(ticket, nowMs)
      return ticket
    }
    if (!queuing) {
      this.rejected++
      throw new NoSeat("concurrency-limit")
    }
    return this.#queue(ticket, queuing, nowMs, limitMs, signal())
  }

  /** Gives the seats back. */
  leave(ticket: Ticket, nowMs: number): void {
    this.#seatsInUse -= ticket.seats
    this.#executing--
    const { queue } = ticket
    if (queue) {
      this.#advance(nowMs)
      queue.executing.delete(ticket)
      queue.seatsInUse -= ticket.seats
      // It is known now how long it took.
      const took = (nowMs - ticket.startedMs) / 1000
      queue.nextDispatch -= (expectedServiceSeconds - took) * ticket.seats
    } else this.#withoutQueue.delete(ticket)
    this.#note(nowMs)
    if (this.#waiting > 0) this.#dispatch()
  }

  /** One that needs more than there is may go alone. */
  #fits(seats: number): boolean {
    return this.#seatsInUse + seats <= this.seats || this.#seatsInUse === 0
  }

  #begin(ticket: Ticket, nowMs: number): void {
    ticket.startedMs = nowMs
    this.#seatsInUse += ticket.seats
    this.#executing++
    this.dispatched++
    this.#note(nowMs)
  }

  #note(nowMs: number): void {
    this.demand.set(this.#seatsInUse + this.#waitingSeats, nowMs)
  }

  async #queue(
    ticket: Ticket,
    { queues, handSize, queueLengthLimit }: NonNullable<LevelSpec["queuing"]>,
    nowMs: number,
    limitMs: number,
    signal: AbortSignal,
  ): Promise<Ticket> {
    this.#advance(nowMs)
    const queue = this.#choose(ticket, queues, handSize)
    if (queue.waiting.length >= queueLengthLimit) {
      this.rejected++
      throw new NoSeat("queue-full")
    }
    if (isIdle(queue)) queue.nextDispatch = this.#virtual
    const waiting: Waiting = { ...ticket, startedMs: 0, queue, turn: deferred() }
    queue.waiting.push(waiting)
    this.#waiting++
    this.#waitingSeats += waiting.seats
    this.#note(nowMs)
    const giveUp = (reason: Refusal): void => {
      const at = queue.waiting.indexOf(waiting)
      if (at < 0) return
      queue.waiting.splice(at, 1)
      this.#waiting--
      this.#waitingSeats -= waiting.seats
      this.#note(this.#clock.monotonic())
      if (reason === "time-out") this.timedOut++
      else this.cancelled++
      waiting.turn.reject(new NoSeat(reason))
    }
    using _limit = this.#clock.timer(limitMs, () => giveUp("time-out"))
    const onAbort = (): void => giveUp("cancelled")
    if (signal.aborted) onAbort()
    else signal.addEventListener("abort", onAbort, { once: true })
    this.#dispatch()
    try {
      await waiting.turn.promise
    } finally {
      signal.removeEventListener("abort", onAbort)
    }
    return waiting
  }

  /** The queue of the flow's hand with the least work. */
  #choose({ schema, distinguisher }: Ticket, queues: number, handSize: number): Queue {
    const hand = queues === 1 ? [0] : deal(hashOfFlow(schema, distinguisher), queues, handSize)
    let best: Queue | undefined
    let least = Infinity
    for (const card of hand) {
      const queue = this.#queues[card]!
      let work = queue.seatsInUse
      for (const { seats } of queue.waiting) work += seats
      if (work >= least) continue
      least = work
      best = queue
    }
    return best!
  }

  /** Serves those who wait as long as there are seats. */
  #dispatch(): void {
    const now = this.#clock.monotonic()
    while (this.#waiting > 0) {
      this.#advance(now)
      const queue = this.#next()
      const ticket = queue?.waiting[0]
      if (!queue || !ticket || !this.#fits(ticket.seats)) return
      queue.waiting.shift()
      this.#last = queue.index
      this.#waiting--
      this.#waitingSeats -= ticket.seats
      queue.executing.add(ticket)
      queue.seatsInUse += ticket.seats
      queue.nextDispatch += expectedServiceSeconds * ticket.seats
      this.#begin(ticket, now)
      ticket.turn.resolve()
    }
  }

  /** The queue whose next request would be done first in virtual time; in turn where several would. */
  #next(): Queue | undefined {
    let best: Queue | undefined
    let earliest = Infinity
    const count = this.#queues.length
    for (let i = 1; i <= count; i++) {
      const queue = this.#queues[(this.#last + i) % count]!
      const [first] = queue.waiting
      if (!first) continue
      const end = queue.nextDispatch + expectedServiceSeconds * first.seats
      if (end >= earliest) continue
      earliest = end
      best = queue
    }
    // What a queue did not use is not saved up.
    if (best && best.nextDispatch < this.#virtual) best.nextDispatch = this.#virtual
    return best
  }

  /** Virtual time goes as fast as each busy queue is served. */
  #advance(nowMs: number): void {
    const seconds = (nowMs - this.#virtualAt) / 1000
    this.#virtualAt = nowMs
    if (seconds <= 0) return
    let busy = 0
    let wanted = 0
    for (const queue of this.#queues) {
      if (isIdle(queue)) continue
      busy++
      wanted += queue.seatsInUse
      for (const { seats } of queue.waiting) wanted += seats
    }
    if (busy > 0) this.#virtual += (seconds * Math.min(wanted, Math.max(1, this.seats))) / busy
  }
}

function isIdle({ waiting, executing }: Queue): boolean {
  return waiting.length === 0 && executing.size === 0
}
