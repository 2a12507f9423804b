/** What takes the events of a watch. */
import type { StatusError } from "@knarr/apimachinery"
import type { WatchItem } from "./watchers.ts"

/** Where a watch's events go. None of these may throw. */
export interface WatchSink {
  /** Items in order, of one batch or a part of an initial list. False: the reader is too slow, the watch ends. */
  deliver(items: readonly WatchItem[]): boolean
  /** Everything up to `revision` has been delivered. `initialEventsEnd`: and that was the initial list. */
  bookmark(revision: number, initialEventsEnd: boolean): void
  /** The last thing a watch says when it ends because of a failure. */
  fail(error: StatusError): void
  /** Resolves when more of an initial list may be delivered; undefined: at once. */
  ready?(signal: AbortSignal): Promise<void> | undefined
}
