/**
 * Bounds on requests at work: so many that read, so many that change something, so many bytes of bodies. What lasts
 * (watch, logs, exec) is not counted. Mirrors: apiserver pkg/server/filters/maxinflight.go
 */
import type { RequestInfo, UserInfo } from "../contract.ts"
import { isMutating } from "./request-info.ts"
import { Shares } from "./shares.ts"

/** Requests that read, and that change something, at most. */
export const defaultLimits = { maxReading: 400, maxMutating: 200 }

export interface InFlightLimits {
  /** Default 400. */
  readonly maxReading?: number | undefined
  /** Default 200. */
  readonly maxMutating?: number | undefined
  /** Bytes of request bodies that have come and whose requests are not over; default 256 MiB. */
  readonly maxBodyBytes?: number | undefined
}

export class InFlight {
  readonly #reading: Shares
  readonly #mutating: Shares
  readonly #bodies: Shares
  readonly #seated = { reading: 0, mutating: 0 }
  refused = 0

  constructor(limits: InFlightLimits) {
    this.#reading = new Shares(limits.maxReading ?? defaultLimits.maxReading)
    this.#mutating = new Shares(limits.maxMutating ?? defaultLimits.maxMutating)
    this.#bodies = new Shares(limits.maxBodyBytes ?? 256 * 1024 * 1024)
  }

  get reading(): number {
    return this.#reading.used + this.#seated.reading
  }

  get mutating(): number {
    return this.#mutating.used + this.#seated.mutating
  }

  /** Counts requests that fairness has given seats: `by` is 1 when one begins and -1 when it ends. */
  seated(info: RequestInfo, by: 1 | -1): void {
    this.#seated[isMutating(info) ? "mutating" : "reading"] += by
  }

  /** Takes a place: the answer gives it back. Undefined when there is none for this user. */
  enter(info: RequestInfo, user: UserInfo): (() => void) | undefined {
    const places = isMutating(info) ? this.#mutating : this.#reading
    if (places.take(user)) return () => places.give(user)
    this.refused++
    return undefined
  }

  /** Counts the body of one request; `end` forgets it. */
  bodyOf(user: UserInfo): { take(bytes: number): boolean; end(): void } {
    let held = 0
    let open = true
    return {
      take: (bytes) => {
        if (!open || !this.#bodies.take(user, bytes)) return false
        held += bytes
        return true
      },
      end: () => {
        if (open && held > 0) this.#bodies.give(user, held)
        open = false
      },
    }
  }
}
