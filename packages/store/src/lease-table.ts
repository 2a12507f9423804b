/**
 * The leases of a store and their timers. The engine says what the end of a lease does and, when it persists
 * them, where they are kept.
 */
import { type Env, randomInt } from "@knarr/base"

export interface LeaseState {
  readonly id: number
  readonly ttlSeconds: number
  /** Wall time in milliseconds: what is persisted, so that time while the store is closed counts too. */
  readonly expiresAtMs: number
}

interface Lease {
  readonly ttlSeconds: number
  /** On the monotonic clock. */
  deadlineMs: number
  timer: Disposable | undefined
}

export class LeaseTable implements Disposable {
  readonly #env: Env
  readonly #expire: (id: number) => void
  readonly #leases = new Map<number, Lease>()

  /** `expire` is called once when a lease has not been renewed in its time; the lease stays until `remove`. */
  constructor(env: Env, expire: (id: number) => void) {
    this.#env = env
    this.#expire = expire
  }

  has(id: number): boolean {
    return this.#leases.has(id)
  }

  /** A new lease under a number that no other has. Throws unless `ttlSeconds` is positive. */
  grant(ttlSeconds: number): LeaseState {
    if (!(ttlSeconds > 0)) throw new Error(`Cannot grant a lease of ${ttlSeconds} s: it must be positive`)
    let id: number
    do id = 1 + randomInt(this.#env.random, 2 ** 47)
    while (this.#leases.has(id))
    return this.#start(id, ttlSeconds, ttlSeconds * 1000)
  }

  /** Takes a persisted lease up again with what is left of it, never more than its whole time. */
  restore(state: LeaseState): void {
    const left = Math.min(state.expiresAtMs - this.#env.clock.now(), state.ttlSeconds * 1000)
    this.#start(state.id, state.ttlSeconds, Math.max(left, 0))
  }

  /** The renewed lease; undefined when there is none. */
  renew(id: number): LeaseState | undefined {
    const lease = this.#leases.get(id)
    if (!lease) return undefined
    lease.deadlineMs = this.#env.clock.monotonic() + lease.ttlSeconds * 1000
    return this.#state(id, lease)
  }

  /** False when there was no such lease. */
  remove(id: number): boolean {
    this.#leases.get(id)?.timer?.[Symbol.dispose]()
    return this.#leases.delete(id)
  }

  /** Stops all timers. */
  [Symbol.dispose](): void {
    for (const lease of this.#leases.values()) lease.timer?.[Symbol.dispose]()
    this.#leases.clear()
  }

  #start(id: number, ttlSeconds: number, leftMs: number): LeaseState {
    const lease: Lease = {
      ttlSeconds,
      deadlineMs: this.#env.clock.monotonic() + leftMs,
      timer: undefined,
    }
    this.#leases.set(id, lease)
    this.#arm(id, lease)
    return this.#state(id, lease)
  }

  /** A renewal only moves the deadline; the timer that is set finds that out and sets itself again. */
  #arm(id: number, lease: Lease): void {
    const left = lease.deadlineMs - this.#env.clock.monotonic()
    lease.timer = this.#env.clock.timer(Math.max(left, 0), () => {
      lease.timer = undefined
      if (this.#leases.get(id) !== lease) return
      if (lease.deadlineMs > this.#env.clock.monotonic()) this.#arm(id, lease)
      else this.#expire(id)
    })
  }

  #state(id: number, lease: Lease): LeaseState {
    const left = lease.deadlineMs - this.#env.clock.monotonic()
    return { id, ttlSeconds: lease.ttlSeconds, expiresAtMs: this.#env.clock.now() + left }
  }
}
