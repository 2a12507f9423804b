/**
 * A store whose values are encrypted where the configuration says so: whoever is above it sees plain values, whoever is
 * below it what is on disk. A value that cannot be decrypted comes with its problem. Mirrors: apiserver pkg/storage/etcd3
 */
import { messageOf, whenReady } from "@knarr/base"
import type {
  KeyValue,
  RangeOptions,
  RangeResult,
  Store,
  StoreEvent,
  WatchOptions,
  WriteOptions,
  WriteResult,
} from "@knarr/store"
import { identity, type Transformer } from "./transformer.ts"

/** Finds what the values under a key go through; undefined for keys of nothing that is served. */
type TransformerOf = (key: string) => Transformer | undefined

export class EncryptedStore implements Store {
  readonly #store: Store
  readonly #transformerOf: TransformerOf

  constructor(store: Store, transformerOf: TransformerOf) {
    this.#store = store
    this.#transformerOf = transformerOf
  }

  get revision(): number {
    return this.#store.revision
  }

  get compactRevision(): number {
    return this.#store.compactRevision
  }

  currentRevision(signal?: AbortSignal): number | Promise<number> {
    return this.#store.currentRevision(signal)
  }

  async get(key: string, options?: { revision?: number }): Promise<KeyValue | undefined> {
    return this.#openIfThere(await this.#store.get(key, options))
  }

  async range(options: RangeOptions): Promise<RangeResult> {
    const { kvs, ...result } = await this.#store.range(options)
    return { ...result, kvs: await this.#openAll(kvs) }
  }

  async put(key: string, value: Uint8Array, options?: WriteOptions): Promise<WriteResult> {
    const plain = Buffer.from(value.buffer, value.byteOffset, value.length)
    const transformer = this.#transformerOf(key) ?? identity
    return this.#openResult(await this.#store.put(key, await transformer.encrypt(plain, key), options))
  }

  async delete(key: string, options?: { expected?: number | undefined }): Promise<WriteResult> {
    return this.#openResult(await this.#store.delete(key, options))
  }

  async *watch(options: WatchOptions): AsyncIterable<readonly StoreEvent[]> {
    for await (const batch of this.#store.watch(options)) {
      const out: StoreEvent[] = []
      for (const event of batch)
        out.push({
          ...event,
          kv: await this.#openIfThere(event.kv),
          previous: await this.#openIfThere(event.previous),
        })
      yield out
    }
  }

  async isStale(key: string): Promise<boolean> {
    const kv = await this.#store.get(key)
    if (!kv) return false
    const { stale } = await (this.#transformerOf(key) ?? identity).decrypt(kv.value, key)
    return stale
  }

  compact(revision: number): Promise<void> {
    return this.#store.compact(revision)
  }

  grantLease(ttlSeconds: number): Promise<number> {
    return this.#store.grantLease(ttlSeconds)
  }

  renewLease(id: number): Promise<boolean> {
    return this.#store.renewLease(id)
  }

  revokeLease(id: number): Promise<void> {
    return this.#store.revokeLease(id)
  }

  size(): Promise<number> {
    return this.#store.size()
  }

  /** The store below belongs to whoever opened it. */
  async [Symbol.asyncDispose](): Promise<void> {}

  /** No promise where nobody is asked. */
  #open(kv: KeyValue): KeyValue | Promise<KeyValue> {
    const failed = (thrown: unknown): KeyValue => ({
      ...kv,
      problem: new Error(`data from the storage is not transformable revision=0: ${messageOf(thrown)}`, {
        cause: thrown,
      }),
    })
    try {
      const read = (this.#transformerOf(kv.key) ?? identity).decrypt(kv.value, kv.key)
      const done = whenReady(read, ({ value }) => (value === kv.value ? kv : { ...kv, value }))
      return done instanceof Promise ? done.catch(failed) : done
    } catch (thrown) {
      return failed(thrown)
    }
  }

  #openIfThere(kv: KeyValue | undefined): KeyValue | undefined | Promise<KeyValue> {
    return kv && this.#open(kv)
  }

  async #openAll(kvs: readonly KeyValue[]): Promise<KeyValue[]> {
    const out: KeyValue[] = []
    for (const kv of kvs) {
      const opened = this.#open(kv)
      out.push(opened instanceof Promise ? await opened : opened)
    }
    return out
  }

  async #openResult(result: WriteResult): Promise<WriteResult> {
    if (result.ok) return { ...result, previous: await this.#openIfThere(result.previous) }
    return { ...result, current: await this.#openIfThere(result.current) }
  }
}
