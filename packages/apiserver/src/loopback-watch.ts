/** Watches of the loopback client: the events of the watch cache with its frozen objects, as an iterable. */
import type { KubeObject } from "@knarr/apimachinery"
import { Channel } from "@knarr/base"
import type { WatchEvent, WatchOptions } from "@knarr/client"
import type { ResourceStorage } from "./registry/storage.ts"
import { prepareWatch } from "./registry/watch.ts"
import type { WatchItem } from "./registry/watchers.ts"

/** Events that may wait for the reader of one watch; then the watch ends. */
const watchBuffer = 100_000

/** Ends without an error when the watch does; throws `signal.reason` when stopped. */
export async function* watchObjects<T extends KubeObject>(
  storage: ResourceStorage,
  options: WatchOptions,
): AsyncGenerator<WatchEvent<T>> {
  const { signal } = options
  const { kind } = storage
  const match = options.sendInitialEvents === undefined ? {} : { resourceVersionMatch: "NotOlderThan" }
  const watch = await prepareWatch(storage, { ...options, ...match }, signal)
  const channel = new Channel<readonly WatchItem[] | WatchEvent<T>>(watchBuffer)
  const bookmark = (revision: number, initialEventsEnd: boolean): void => {
    const metadata: Record<string, unknown> = { resourceVersion: String(revision) }
    if (initialEventsEnd) metadata.annotations = { "k8s.io/initial-events-end": "true" }
    const object = Object.freeze({ kind: kind.kind, apiVersion: kind.apiVersion, metadata }) as unknown as T
    channel.push({ type: "BOOKMARK", object })
  }
  const stop = new AbortController()
  const onAbort = (): void => stop.abort(signal.reason)
  signal.addEventListener("abort", onAbort, { once: true })
  let waiting = 0
  const running = watch
    .run(
      {
        deliver(items) {
          waiting += items.length
          return waiting <= watchBuffer && channel.push(items)
        },
        bookmark,
        fail: (error) => void channel.push({ type: "ERROR", object: error.status }),
      },
      stop.signal,
    )
    .then(
      () => channel.close(),
      (thrown: unknown) => channel.fail(thrown),
    )
  try {
    for (;;) {
      const next = await channel.next(signal)
      if (next === undefined) return
      if ("type" in next) {
        yield next
        continue
      }
      waiting -= next.length
      for (const { type, object } of next) yield { type, object: storage.view.value(object) as T }
    }
  } finally {
    signal.removeEventListener("abort", onAbort)
    stop.abort()
    await running
  }
}
