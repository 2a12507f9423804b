/** State that belongs to one run of a controller: descriptors are frozen values and hold none. */
import type { ReconcileContext } from "./controller.ts"

/**
 * A value made once per run, on first use, and gone with it. The runner hands the same context to every
 * `reconcile` and to `run`, which is what tells runs apart.
 */
export function perRun<T extends object>(create: (ctx: ReconcileContext) => T): (ctx: ReconcileContext) => T {
  const states = new WeakMap<ReconcileContext, T>()
  return (ctx) => {
    let state = states.get(ctx)
    if (!state) states.set(ctx, (state = create(ctx)))
    return state
  }
}

/** Resolves when the signal is aborted: what `run` waits for when it only listens to informers. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener("abort", () => resolve(), { once: true })
  })
}
