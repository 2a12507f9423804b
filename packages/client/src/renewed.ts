/** Credentials that others write to files while we run. Mirrors: client-go transport/{token_source,cert_rotation}.go */
import type { Clock } from "@knarr/base"

/** How old a reading may be: as upstream's of a token. */
const readAgainMs = 60_000

/**
 * What `read` says, read again on use once the last reading is a minute old. The first failure is thrown; a later
 * one leaves what was read before: files are away for a moment while they are replaced.
 */
export function renewed<T>(clock: Pick<Clock, "monotonic">, read: () => T): () => T {
  let value = read()
  let readAtMs = clock.monotonic()
  return () => {
    const now = clock.monotonic()
    if (now - readAtMs < readAgainMs) return value
    readAtMs = now
    try {
      value = read()
    } catch {
      // The server says what is wrong with an old credential.
    }
    return value
  }
}
