/**
 * Leases for objects that end by themselves (Events). One lease serves many objects for a while, so the store
 * holds few of them. Mirrors: apiserver pkg/storage/etcd3/lease_manager.go
 */
import type { Clock } from "@knarr/base"
import type { Store } from "@knarr/store"

const defaultReuseSeconds = 60
const objectsPerLease = 1000

export class TtlLeases {
  readonly #store: Store
  readonly #clock: Clock
  readonly #current = new Map<number, { id: Promise<number>; until: number; left: number }>()

  readonly #reuseSeconds: number

  /** `reuseSeconds`: for how long a lease is given to further objects; default 60. */
  constructor(store: Store, clock: Clock, reuseSeconds = defaultReuseSeconds) {
    this.#store = store
    this.#clock = clock
    this.#reuseSeconds = reuseSeconds
  }

  /** A lease that ends `ttlSeconds` from now, or later by up to the time for which it is reused. */
  lease(ttlSeconds: number): Promise<number> {
    const now = this.#clock.monotonic()
    let lease = this.#current.get(ttlSeconds)
    if (!lease || lease.until <= now || lease.left <= 0) {
      const id = this.#store.grantLease(ttlSeconds + this.#reuseSeconds)
      lease = { id, until: now + this.#reuseSeconds * 1000, left: objectsPerLease }
      this.#current.set(ttlSeconds, lease)
      const granted = lease
      id.catch(() => {
        if (this.#current.get(ttlSeconds) === granted) this.#current.delete(ttlSeconds)
      })
    }
    lease.left--
    return lease.id
  }

  /** Gives that lease to nobody any more: a store that was restored from a copy may have none such. */
  forget(ttlSeconds: number): void {
    this.#current.delete(ttlSeconds)
  }
}
