/** Resource versions in requests: reading them, and waiting for the cache to have seen them. */
import { goQuote, timeout, unexpectedError } from "@knarr/apimachinery"
import { TimeoutError, withTimeout, type Env } from "@knarr/base"
import type { Follower } from "./follower.ts"

/** How long a request waits for a revision that the cache has not seen. */
const freshnessMs = 3000

const never = new AbortController().signal

/** A resourceVersion as a number; 0 for "" and "0". Throws a StatusError. */
export function parseResourceVersion(text: string): number {
  const problem = text === "" ? undefined : notANumber(text)
  // A plain failure of the storage for upstream: it has no reason.
  if (problem !== undefined)
    throw unexpectedError(`resourceVersion: Invalid value: ${goQuote(text)}: ${problem}`)
  return Number(text)
}

/** What Go says of a text that is no number without a sign of 64 bits; undefined for one that is. */
function notANumber(text: string): string | undefined {
  if (!/^\d+$/.test(text)) return `strconv.ParseUint: parsing ${goQuote(text)}: invalid syntax`
  if (BigInt(text) >= 2n ** 64n) return `strconv.ParseUint: parsing ${goQuote(text)}: value out of range`
  return undefined
}

/** Refuses, as upstream's storage does, an object to write whose resourceVersion is no number. Throws a StatusError. */
export function checkVersionOfObject(resourceVersion: string): void {
  const problem = resourceVersion === "" ? undefined : notANumber(resourceVersion)
  if (problem !== undefined) throw unexpectedError(problem)
}

/** What of a resource's storage a reader waits for. */
interface Followed {
  readonly deps: { readonly follower: Follower; readonly env: Env }
  /** Resolves when the cache has seen what the store has committed; undefined when it has. */
  fresh(signal?: AbortSignal): Promise<void> | undefined
}

/**
 * Waits until a read at `resourceVersion` may be answered from the cache: "" for the newest state, "0" for any,
 * else at least that one. Throws 504 when it does not come.
 */
export function waitForRevision(
  storage: Followed,
  resourceVersion: string,
  signal?: AbortSignal,
): void | Promise<void> {
  if (resourceVersion === "0") return
  if (resourceVersion === "") return storage.fresh(signal)
  const revision = parseResourceVersion(resourceVersion)
  if (revision > storage.deps.follower.revision) return waitFor(storage, revision, signal)
}

async function waitFor(storage: Followed, revision: number, signal?: AbortSignal): Promise<void> {
  const { follower, env } = storage.deps
  try {
    await withTimeout(env.clock, freshnessMs, "wait for a resource version", signal ?? never, (inner) =>
      follower.reach(revision, inner),
    )
  } catch (thrown) {
    if (thrown instanceof TimeoutError) throw tooLargeResourceVersion(revision, follower.revision)
    throw thrown
  }
}

/** Mirrors: apiserver pkg/storage/errors.go NewTooLargeResourceVersionError */
export function tooLargeResourceVersion(wanted: number, current: number): Error {
  const error = timeout(`Too large resource version: ${wanted}, current: ${current}`, 1)
  error.status.details = {
    ...error.status.details,
    causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
  }
  return error
}
