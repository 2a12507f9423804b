/**
 * Bounds on requests at work: so many that read, so many that change something. What lasts (watch, logs,
 * exec) is not counted. Mirrors: apiserver pkg/server/filters/maxinflight.go
 */
import { systemMasters } from "../authn/users.ts"
import type { RequestInfo, UserInfo } from "../contract.ts"
import { isMutating } from "./request-info.ts"

export interface InFlightLimits {
  /** Default 400. */
  readonly maxReading?: number | undefined
  /** Default 200. */
  readonly maxMutating?: number | undefined
}

export class InFlight {
  readonly #maxReading: number
  readonly #maxMutating: number
  reading = 0
  mutating = 0
  refused = 0

  constructor(limits: InFlightLimits) {
    this.#maxReading = limits.maxReading ?? 400
    this.#maxMutating = limits.maxMutating ?? 200
  }

  /** Takes a place: the answer gives it back. Undefined when there is none (administrators always get one). */
  enter(info: RequestInfo, user: UserInfo): (() => void) | undefined {
    if (isMutating(info)) {
      if (this.mutating >= this.#maxMutating && !user.groups.includes(systemMasters)) {
        this.refused++
        return undefined
      }
      this.mutating++
      return this.#leaveMutating
    }
    if (this.reading >= this.#maxReading && !user.groups.includes(systemMasters)) {
      this.refused++
      return undefined
    }
    this.reading++
    return this.#leaveReading
  }

  readonly #leaveMutating = (): void => {
    this.mutating--
  }

  readonly #leaveReading = (): void => {
    this.reading--
  }
}
