/**
 * Leases for objects that end by themselves (Events). One lease serves many objects for a while, so the store
 * holds few of them. Mirrors: apiserver pkg/storage/etcd3/lease_manager.go
 */
import type { Clock } from "@knarr/base"
import type { Store } from "@knarr/store"

const reuseMs = 60_000
const objectsPerLease = 1000

export class TtlLeases {
  readonly #store: Store
  readonly #clock: Clock
  readonly #current = new Map<number, { id: Promise<number>; until: number; left: number }>()

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** A lease that ends `ttlSeconds` from now, or up to a minute later. */
  lease(ttlSeconds: number): Promise<number> {
    const now = this.#clock.monotonic()
    let lease = this.#current.get(ttlSeconds)
    if (!lease || lease.until <= now || lease.left <= 0) {
      const id = this.#store.grantLease(ttlSeconds + reuseMs / 1000)
      lease = { id, until: now + reuseMs, left: objectsPerLease }
      this.#current.set(ttlSeconds, lease)
      const granted = lease
      id.catch(() => {
        if (this.#current.get(ttlSeconds) === granted) this.#current.delete(ttlSeconds)
      })
    }
    lease.left--
    return lease.id
  }
}
