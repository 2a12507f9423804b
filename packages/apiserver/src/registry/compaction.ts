/**
 * Forgets old revisions, so that the store does not grow with every write. Each server of a store forgets only what it saw
 * an interval ago, so several keep as much history as one. Mirrors: apiserver storage/etcd3/compact.go
 */
import type { Env } from "@knarr/base"
import type { Store } from "@knarr/store"

export interface CompactionOptions {
  readonly store: Store
  readonly env: Env
  /** How long history is kept at the least; at the most, twice as long. */
  readonly intervalMs: number
  /** Called when the store has forgotten what happened up to `revision`. */
  readonly compacted: (revision: number) => void
}

/** Runs until the signal is aborted. A compaction that fails is logged and made up for by the next. */
export async function runCompaction(options: CompactionOptions, signal: AbortSignal): Promise<void> {
  const { store, env, intervalMs, compacted } = options
  let before = await store.currentRevision(signal)
  for (;;) {
    await env.clock.sleep(intervalMs, signal)
    let now = before
    try {
      now = await store.currentRevision(signal)
      // It is not when the store was restored from a copy.
      if (before > store.compactRevision && before <= now) {
        await store.compact(before)
        compacted(before)
      }
    } catch (thrown) {
      signal.throwIfAborted()
      env.log.error("Cannot compact the store", thrown, { revision: before })
    }
    before = now
  }
}
