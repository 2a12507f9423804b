/**
 * What happened to one object, as the watch cache hands it to its watchers. Encodings of an event are made once
 * and shared by every watcher of the batch.
 */
import type { CachedObject } from "./cached-object.ts"

export type ChangeType = "ADDED" | "MODIFIED" | "DELETED"

export class CacheEvent {
  readonly type: ChangeType
  readonly revision: number
  /** The new state; for DELETED the last state with the revision of the deletion. */
  readonly object: CachedObject
  /** The state before; undefined for ADDED. */
  readonly previous: CachedObject | undefined
  #left: CachedObject | undefined
  #frames: Map<string, Buffer> | undefined

  constructor(type: ChangeType, object: CachedObject, previous: CachedObject | undefined) {
    this.type = type
    this.revision = object.revision
    this.object = object
    this.previous = previous
  }

  /** The state before with this event's revision: what a watcher sees whose selector no longer matches. */
  get left(): CachedObject {
    if (this.type === "DELETED" || !this.previous) return this.object
    return (this.#left ??= this.previous.at(this.revision))
  }

  /** The frame that `make` builds, shared by all who ask with the same key until {@link forgetFrames}. */
  frame(key: string, make: () => Buffer): Buffer {
    const frames = (this.#frames ??= new Map())
    let frame = frames.get(key)
    if (!frame) frames.set(key, (frame = make()))
    return frame
  }

  /** Called when the batch has been handed to all watchers: a late reader makes its own frames. */
  forgetFrames(): void {
    this.#frames = undefined
    this.#left = undefined
  }
}
