/**
 * The store's contract, which is etcd's: a versioned map from text keys to bytes. Every write raises one
 * revision counter by one; old revisions can be read and watched until they are compacted away. Each engine
 * passes `store.conformance.ts` and `store.crash.ts`.
 */

export interface KeyValue {
  readonly key: string
  /** Shares memory with others that were written at its time: who keeps it for long copies it. */
  readonly value: Buffer
  /** The revision at which the key was last created. */
  readonly createRevision: number
  /** The revision of the last write to the key. */
  readonly modRevision: number
  /** 1 after creation, one more with each write. */
  readonly version: number
  /** The lease that the key is attached to; 0 for none. */
  readonly lease: number
  /** Why `value` is not what was written, and cannot be read: of a store that encrypts. */
  readonly problem?: Error | undefined
}

export interface StoreEvent {
  readonly type: "put" | "delete"
  readonly revision: number
  readonly key: string
  /** After a put: the new state. After a delete: undefined. */
  readonly kv: KeyValue | undefined
  /** The state before this event; undefined when the key did not exist. */
  readonly previous: KeyValue | undefined
}

export interface RangeOptions {
  /** All keys that begin with this. */
  readonly prefix: string
  /** Only keys at or after this one. */
  readonly from?: string
  /** At most this many; default: all. */
  readonly limit?: number
  /** The state as of this revision; default: now. Throws {@link CompactedError} or {@link FutureRevisionError}. */
  readonly revision?: number
}

export interface RangeResult {
  /** In key order (by bytes). */
  readonly kvs: readonly KeyValue[]
  /** How many keys match in all, beyond `limit` too. */
  readonly count: number
  /** The store's revision when the range was read. */
  readonly revision: number
}

/** What must hold for a write to happen: the key's `modRevision`, or 0 when it must not exist. */
export type Expected = number | undefined

export type WriteResult =
  | { readonly ok: true; readonly revision: number; readonly previous: KeyValue | undefined }
  /** The expectation did not hold; `current` is what is there. */
  | { readonly ok: false; readonly revision: number; readonly current: KeyValue | undefined }

export interface WriteOptions {
  /** See {@link Expected}; without it the write is unconditional. */
  readonly expected?: Expected
  /** Attaches the key to a lease, whose end deletes it. */
  readonly lease?: number
}

export interface WatchOptions {
  readonly prefix: string
  /** The first revision wanted; throws {@link CompactedError} from the iteration when it is gone. Default: the next one. */
  readonly from?: number
  readonly signal: AbortSignal
}

export interface Store extends AsyncDisposable {
  /**
   * The newest durable revision that this process has heard of: of an engine in another process there may be newer
   * ones. A new store is at revision 1.
   */
  readonly revision: number
  /**
   * The newest durable revision, of all writers: no write that was answered before this was called is newer. An engine of
   * this process knows it and answers at once; only one that has to ask somebody gives a promise.
   */
  currentRevision(signal?: AbortSignal): number | Promise<number>
  /** Everything before this revision is compacted away; 0 at first. */
  readonly compactRevision: number

  get(key: string, options?: { revision?: number }): Promise<KeyValue | undefined>
  range(options: RangeOptions): Promise<RangeResult>
  /** Resolves once the write is on disk. A failed expectation writes nothing and raises no revision. */
  put(key: string, value: Uint8Array, options?: WriteOptions): Promise<WriteResult>
  /** Deleting a key that does not exist answers `ok` with `previous` undefined and raises no revision. */
  delete(key: string, options?: { expected?: Expected }): Promise<WriteResult>
  /**
   * Events in order of revision, each once, in batches of one commit or more; durable before they are
   * delivered. Ends by throwing `signal.reason`, a {@link CompactedError}, or {@link SlowWatcherError} when
   * the watcher falls further behind than the engine's bound (it may then watch again from where it was).
   */
  watch(options: WatchOptions): AsyncIterable<readonly StoreEvent[]>
  /** Forgets what is older than `revision`, keeping the newest state of each key at it. */
  compact(revision: number): Promise<void>

  /** A lease that ends `ttlSeconds` after its last renewal. */
  grantLease(ttlSeconds: number): Promise<number>
  /** False when there is no such lease any more. */
  renewLease(id: number): Promise<boolean>
  revokeLease(id: number): Promise<void>

  /**
   * Whether what is stored under `key` should be written again although it would not change: a store that encrypts has other
   * keys now. Default: never. Rejects when it cannot be read.
   */
  isStale?(key: string): Promise<boolean>

  /** Bytes on disk (0 for the memory engine). */
  size(): Promise<number>
}

/** The revision asked for has been compacted away. */
export class CompactedError extends Error {
  readonly compactRevision: number
  constructor(revision: number, compactRevision: number) {
    super(`Cannot read revision ${revision}: compacted up to ${compactRevision}`)
    this.name = "CompactedError"
    this.compactRevision = compactRevision
  }
}

/** The revision asked for has not happened yet. */
export class FutureRevisionError extends Error {
  constructor(revision: number, current: number) {
    super(`Cannot read revision ${revision}: the store is at ${current}`)
    this.name = "FutureRevisionError"
  }
}

/** The watcher was too slow for its bound. */
export class SlowWatcherError extends Error {
  constructor(bound: number) {
    super(`The watcher fell ${bound} events behind and was closed`)
    this.name = "SlowWatcherError"
  }
}

/** The disk has no room: nothing was written, reads go on, writes work again when there is room. */
export class NoSpaceError extends Error {
  constructor(cause: unknown) {
    super("Cannot write: no space left on the store's disk", { cause })
    this.name = "NoSpaceError"
  }
}

/** The store is elsewhere and refused, or did not answer: whether a write happened is then not known. */
export class StoreFailedError extends Error {
  constructor(message: string, cause: unknown) {
    super(message, { cause })
    this.name = "StoreFailedError"
  }
}

/** There was a store, and its file is gone or empty. */
export class StoreGoneError extends Error {
  constructor(file: string) {
    super(
      `Cannot open the store "${file}": the file is gone. Restore a snapshot ("knarr snapshot restore"), or delete the cluster`,
    )
    this.name = "StoreGoneError"
  }
}

/** The store's file cannot be read; the message names it and says what to do. */
export class DamagedStoreError extends Error {
  constructor(file: string, cause: unknown) {
    super(
      `Cannot open the store "${file}": the file is damaged. Restore a snapshot ("knarr snapshot restore --replace"), or delete the cluster`,
      {
        cause,
      },
    )
    this.name = "DamagedStoreError"
  }
}
