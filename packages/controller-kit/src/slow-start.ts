/** Many equal requests, carefully: 1, then 2, 4, 8 … at once. Mirrors: pkg/controller/replicaset (slowStartBatch) */

export interface SlowStartResult {
  readonly successes: number
  /** The first failure; the batches after the one it happened in were not tried. */
  readonly error?: unknown
}

/** Calls `fn` `count` times in growing batches and stops after the first batch with a failure. Never throws. */
export async function slowStart(
  count: number,
  fn: (index: number) => Promise<void>,
  first = 1,
): Promise<SlowStartResult> {
  let successes = 0
  let index = 0
  for (let size = Math.min(count, first); size > 0; size = Math.min(2 * size, count - index)) {
    const batch = await Promise.allSettled(Array.from({ length: size }, () => fn(index++)))
    const failed = batch.filter((result) => result.status === "rejected")
    successes += size - failed.length
    if (failed.length > 0) return { successes, error: failed[0]!.reason }
  }
  return { successes }
}
