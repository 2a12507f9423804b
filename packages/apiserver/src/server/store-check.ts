/** Whether the store answers, as a part of the server's health. Mirrors: apiserver pkg/storage/storagebackend/factory/etcd3.go */
import { abortable, messageOf, TimeoutError, withTimeout, type Clock } from "@knarr/base"
import type { Store } from "@knarr/store"

/** Rejects with what is wrong. A store of this process answers at once. */
export async function askStore(
  store: Store,
  limitMs: number | undefined,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  try {
    await withTimeout(clock, limitMs ?? 2000, "the store to answer", signal, async (inner) => {
      const answer = store.currentRevision(inner)
      if (answer instanceof Promise) await abortable(answer, inner)
    })
  } catch (thrown) {
    const why = thrown instanceof TimeoutError ? "context deadline exceeded" : messageOf(thrown)
    throw new Error(`error getting data from etcd: ${why}`, { cause: thrown })
  }
}
