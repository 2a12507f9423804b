/**
 * What a controller has asked for and not yet seen in its cache, so that it does not ask twice.
 * Mirrors: pkg/controller/controller_utils.go (ControllerExpectations, UIDTrackingControllerExpectations)
 */
import type { Clock } from "@knarr/base"

/** After this time an expectation no longer counts: an event may have been lost. */
export const expectationsTimeoutMs = 5 * 60_000

interface Expected {
  creations: number
  readonly deletions: Set<string>
  readonly sinceMs: number
}

/** Creations are counted, deletions are known by the key of the object that goes. */
export class Expectations {
  readonly #clock: Clock
  readonly #byKey = new Map<string, Expected>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** True when everything expected for `key` has been seen, nothing is expected, or the expectation is too old. */
  satisfied(key: string): boolean {
    const expected = this.#byKey.get(key)
    if (!expected) return true
    if (expected.creations <= 0 && expected.deletions.size === 0) return true
    return this.#clock.monotonic() - expected.sinceMs > expectationsTimeoutMs
  }

  /** Sets what is expected from now on; to be called before the first request is sent. */
  expect(key: string, creations: number, deletions: readonly string[] = []): void {
    this.#byKey.set(key, { creations, deletions: new Set(deletions), sinceMs: this.#clock.monotonic() })
  }

  /** An object was created (or its creation failed and will not be seen). */
  creationObserved(key: string): void {
    const expected = this.#byKey.get(key)
    if (expected && expected.creations > 0) expected.creations--
  }

  /** An object is going or gone (or its deletion failed and will not be seen). */
  deletionObserved(key: string, objectKey: string): void {
    this.#byKey.get(key)?.deletions.delete(objectKey)
  }

  /** Forgets a key whose object is gone. */
  delete(key: string): void {
    this.#byKey.delete(key)
  }
}
