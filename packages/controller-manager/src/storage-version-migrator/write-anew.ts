/**
 * Writes each object of a resource as it is, so that it comes to be stored in the present version.
 * Mirrors: pkg/controller/storageversionmigrator/storageversionmigrator.go (runMigration)
 */
import {
  isConflict,
  isInternalError,
  isNotFound,
  isServerTimeout,
  isServiceUnavailable,
  isTimeout,
  isTooManyRequests,
  type Kind,
  type KubeObject,
} from "@knarr/apimachinery"
import { ConnectionError, type Client, type Ref } from "@knarr/client"

const pageSize = 500

export interface Written {
  readonly total: number
  /** How many of those that are not newer than the revision were not written anew. */
  readonly left: number
  /** What the last of them met. */
  readonly failure?: unknown
}

interface Candidate extends Ref {
  readonly resourceVersion: string
}

/** Objects that were written, deleted or made after `revision` are left alone: they are in the present version. */
export async function writeAnew(
  client: Client,
  kind: Kind<KubeObject>,
  revision: string,
  options: { readonly fieldManager: string; readonly signal: AbortSignal },
): Promise<Written> {
  const { signal } = options
  const limit = BigInt(revision)
  const candidates: Candidate[] = []
  let total = 0
  for (let next: string | undefined; ;) {
    const page = await client.list(kind, { limit: pageSize, continue: next, signal })
    for (const { metadata } of page.items) {
      const { namespace, resourceVersion } = metadata
      if (BigInt(resourceVersion) <= limit)
        candidates.push({ namespace, name: metadata.name!, resourceVersion })
    }
    total += page.items.length
    next = page.metadata.continue
    if (!next) break
  }
  let left = candidates.length
  const { apiVersion, kind: kindName } = kind
  for (const { resourceVersion, ...ref } of candidates) {
    const body = { apiVersion, kind: kindName, metadata: { resourceVersion } }
    try {
      await client.patch(kind, ref, "merge", body, options)
    } catch (failure) {
      signal.throwIfAborted()
      if (!isConflict(failure) && !isNotFound(failure)) return { total, left, failure }
    }
    left--
  }
  return { total, left }
}

/** Failures of the moment, of the server or of the way to it. */
export function passesBy(failure: unknown): boolean {
  return (
    failure instanceof ConnectionError ||
    [isServerTimeout, isTooManyRequests, isServiceUnavailable, isInternalError, isTimeout].some((is) =>
      is(failure),
    )
  )
}
