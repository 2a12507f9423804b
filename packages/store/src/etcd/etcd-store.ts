/**
 * The store in an etcd cluster, of which any number of servers may share one, kube-apiservers too.
 * Mirrors: apiserver pkg/storage/etcd3
 */
import { CancelledError, type Env, randomInt } from "@knarr/base"
import { GrpcError, type MessageInit } from "@knarr/grpc"
import { checkKey } from "../keys.ts"
import {
  CompactedError,
  type Expected,
  type KeyValue,
  NoSpaceError,
  type RangeOptions,
  type RangeResult,
  type Store,
  type StoreEvent,
  StoreFailedError,
  type WatchOptions,
  type WriteOptions,
  type WriteResult,
} from "../store.ts"
import { EtcdClient, type EtcdTls } from "./etcd-client.ts"
import { failureOf, leaseExistsText, noLeaseText } from "./etcd-failure.ts"
import { EtcdKeys, rangeEnd } from "./etcd-keys.ts"
import { watchEtcd } from "./etcd-watch.ts"
import type * as etcd from "./etcd.gen.ts"

export interface EtcdStoreOptions {
  readonly env: Env
  /** `http://host:port`, `https://host:port` or `unix:///path` of each member. */
  readonly endpoints: readonly string[]
  /** Asked at each connection to an `https` member. */
  readonly tls?: (() => EtcdTls) | undefined
  /** Where the objects are, as `--etcd-prefix`; default `/registry`. */
  readonly prefix?: string | undefined
  /** How many events a live watcher may fall behind; default 10,000. */
  readonly watchBuffer?: number
  /**
   * The key under which servers tell one another that they compact, so that a kube-apiserver of the same cluster leaves a
   * compaction out that was just done; default: none.
   */
  readonly compactKey?: string
}

/** Rejects with a {@link StoreFailedError} when no member answers. */
export async function openEtcdStore(options: EtcdStoreOptions): Promise<Store> {
  const store = new EtcdStore(options)
  try {
    await store.begin()
    return store
  } catch (thrown) {
    await store[Symbol.asyncDispose]()
    throw thrown
  }
}

/** Of the first page of a range: however large values are, it fits into a message. */
const firstPage = 40
const largestPage = 10_000
const pageBytes = 8 * 1024 * 1024

/** For questions about no key. */
const anyKey = Buffer.from("health")

/** No key is empty: etcd wants one for the first of all. */
function firstKey(prefix: Buffer): Buffer {
  return prefix.length === 0 ? Buffer.from([0]) : prefix
}

/** Requests and answers of the calls that are made here. */
interface EtcdCalls {
  range: [MessageInit<etcd.RangeRequest>, etcd.RangeResponse]
  put: [MessageInit<etcd.PutRequest>, etcd.PutResponse]
  deleteRange: [MessageInit<etcd.DeleteRangeRequest>, etcd.DeleteRangeResponse]
  txn: [MessageInit<etcd.TxnRequest>, etcd.TxnResponse]
  compact: [MessageInit<etcd.CompactionRequest>, etcd.CompactionResponse]
  leaseGrant: [MessageInit<etcd.LeaseGrantRequest>, etcd.LeaseGrantResponse]
  leaseRevoke: [MessageInit<etcd.LeaseRevokeRequest>, etcd.LeaseRevokeResponse]
  status: [MessageInit<etcd.StatusRequest>, etcd.StatusResponse]
}

/** Answered only when most members agree on the state. */
const isOfAll: ReadonlySet<keyof EtcdCalls> = new Set(["range", "put", "deleteRange", "txn"])

class EtcdStore implements Store {
  readonly #env: Env
  readonly #client: EtcdClient
  readonly #keys: EtcdKeys
  readonly #watchBuffer: number
  readonly #compactKey: Buffer | undefined
  readonly #end = new AbortController()
  /** Until etcd turns out to be another one, or to have an older state: watches end with it. */
  #life = new AbortController()
  #cluster = 0
  /** Up to here revisions were heard of in former lives: who goes on from one of them may have missed others. */
  #lostUpTo = 0
  /** The last write to each key that is on its way: etcd may take those of one caller in any order. */
  readonly #writes = new Map<string, Promise<unknown>>()
  #revision = 0
  #compactRevision = 0
  /** How often {@link EtcdStoreOptions.compactKey} had been written when it was last seen. */
  #compactions = 0
  #question: Promise<number> | undefined
  #closed = false

  constructor({ env, endpoints, tls, prefix, watchBuffer = 10_000, compactKey }: EtcdStoreOptions) {
    this.#env = env
    this.#client = new EtcdClient({ env, endpoints, tls })
    this.#keys = new EtcdKeys(prefix)
    this.#watchBuffer = watchBuffer
    this.#compactKey = compactKey === undefined ? undefined : Buffer.from(compactKey)
  }

  async begin(): Promise<void> {
    await this.currentRevision()
    await this.#learnCompaction()
  }

  get revision(): number {
    return this.#revision
  }

  get compactRevision(): number {
    return this.#compactRevision
  }

  /** Those who ask in the same moment share an answer. */
  currentRevision(signal?: AbortSignal): Promise<number> {
    signal?.throwIfAborted()
    this.#checkOpen()
    this.#question ??= Promise.resolve().then(async () => {
      this.#question = undefined
      const { header } = await this.#call("range", { key: anyKey, countOnly: true }, true)
      return this.#heard(header)
    })
    return this.#question
  }

  async get(key: string, options: { revision?: number } = {}): Promise<KeyValue | undefined> {
    this.#checkOpen()
    const { revision = 0 } = options
    const request = { key: this.#keys.toEtcd(key), revision }
    const { header, kvs } = await this.#call("range", request, true, revision)
    this.#heard(header)
    return kvs[0] && this.#kvOf(kvs[0])
  }

  async range(options: RangeOptions): Promise<RangeResult> {
    this.#checkOpen()
    const { prefix, limit = Number.POSITIVE_INFINITY } = options
    const start = this.#keys.toEtcd(prefix)
    const end = rangeEnd(start)
    const from = options.from === undefined ? start : this.#keys.toEtcd(options.from)
    let key = Buffer.compare(from, start) > 0 ? from : firstKey(start)
    let revision = options.revision ?? 0
    const kvs: KeyValue[] = []
    if (end.length > 1 || end[0] !== 0) {
      // Beyond the end there is nothing, and etcd wants no such range.
      if (Buffer.compare(key, end) >= 0) return { kvs, count: 0, revision: await this.currentRevision() }
    }
    if (limit === 0) {
      const answer = await this.#call(
        "range",
        { key, rangeEnd: end, revision, countOnly: true },
        true,
        revision,
      )
      return { kvs, count: answer.count, revision: this.#heard(answer.header) }
    }
    let count: number | undefined
    let at = 0
    for (let page = firstPage; ;) {
      const wanted = Math.min(limit - kvs.length, page)
      const request = { key, rangeEnd: end, revision, limit: wanted }
      const answer = await this.#call("range", request, true, revision)
      const current = this.#heard(answer.header)
      if (count === undefined) {
        count = answer.count
        at = current
        // All pages are of one revision.
        revision ||= current
      }
      let bytes = 1
      for (const kv of answer.kvs) {
        bytes += kv.value.length
        kvs.push(this.#kvOf(kv))
      }
      if (!answer.more || kvs.length >= limit) return { kvs, count, revision: at }
      key = Buffer.concat([answer.kvs.at(-1)!.key, Buffer.from([0])])
      page = Math.max(firstPage, Math.min(page * 8, Math.floor((page * pageBytes) / bytes), largestPage))
    }
  }

  put(key: string, value: Uint8Array, options: WriteOptions = {}): Promise<WriteResult> {
    const copy = Buffer.from(value)
    return this.#inTurn(key, () => this.#put(key, copy, options))
  }

  async #put(key: string, value: Buffer, { expected, lease = 0 }: WriteOptions): Promise<WriteResult> {
    const put = { key: this.#keys.toEtcd(key), value, lease, prevKv: true }
    try {
      if (expected === undefined) {
        const { header, prevKv } = await this.#call("put", put, false)
        return { ok: true, revision: this.#heard(header), previous: prevKv && this.#kvOf(prevKv) }
      }
      return await this.#compareAnd(put.key, expected, { requestPut: put })
    } catch (thrown) {
      if (thrown instanceof StoreFailedError && thrown.message === noLeaseText)
        throw new Error(`Cannot write "${key}": there is no lease ${lease}`, { cause: thrown })
      throw thrown
    }
  }

  delete(key: string, options: { expected?: Expected } = {}): Promise<WriteResult> {
    return this.#inTurn(key, () => this.#delete(key, options.expected))
  }

  async #delete(key: string, expected: Expected): Promise<WriteResult> {
    const requestDeleteRange = { key: this.#keys.toEtcd(key), prevKv: true }
    if (expected !== undefined)
      return this.#compareAnd(requestDeleteRange.key, expected, { requestDeleteRange })
    const { header, prevKvs } = await this.#call("deleteRange", requestDeleteRange, false)
    return { ok: true, revision: this.#heard(header), previous: prevKvs[0] && this.#kvOf(prevKvs[0]) }
  }

  async #compareAnd(
    key: Buffer,
    expected: number,
    operation: {
      requestPut?: { key: Buffer; value: Buffer; lease: number; prevKv: boolean }
      requestDeleteRange?: { key: Buffer; prevKv: boolean }
    },
  ): Promise<WriteResult> {
    const answer = await this.#call(
      "txn",
      {
        compare: [{ key, target: "MOD", result: "EQUAL", modRevision: expected }],
        success: [operation],
        failure: [{ requestRange: { key } }],
      },
      false,
    )
    const revision = this.#heard(answer.header)
    const [response] = answer.responses
    if (!answer.succeeded) {
      const kv = response?.responseRange?.kvs[0]
      return { ok: false, revision, current: kv && this.#kvOf(kv) }
    }
    const previous = response?.responsePut?.prevKv ?? response?.responseDeleteRange?.prevKvs[0]
    return { ok: true, revision, previous: previous && this.#kvOf(previous) }
  }

  watch({ prefix, from = this.#revision + 1, signal }: WatchOptions): AsyncIterable<readonly StoreEvent[]> {
    return { [Symbol.asyncIterator]: () => this.#watch(prefix, from, signal) }
  }

  async *#watch(prefix: string, from: number, signal: AbortSignal): AsyncGenerator<readonly StoreEvent[]> {
    if (this.#end.signal.aborted) throw this.#end.signal.reason
    if (from < this.#compactRevision) throw new CompactedError(from, this.#compactRevision)
    // Etcd would wait for what it has not seen.
    if (from > this.#revision + 1 && from <= this.#lostUpTo + 1)
      throw new CompactedError(from, this.#revision + 1)
    const life = this.#life.signal
    const stop = new AbortController()
    const onAbort = (): void => {
      const ended = [signal, this.#end.signal].find(({ aborted }) => aborted)
      stop.abort(ended ? ended.reason : new CompactedError(from, this.#revision + 1))
    }
    const signals = [signal, this.#end.signal, life]
    for (const one of signals) one.addEventListener("abort", onAbort, { once: true })
    if (signal.aborted) onAbort()
    const key = this.#keys.toEtcd(prefix)
    try {
      yield* watchEtcd(
        {
          open: (ends) => this.#client.stream("watch", ends),
          key: firstKey(key),
          end: rangeEnd(key),
          from: Math.max(from, 1),
          bound: this.#watchBuffer,
          eventOf: (event) => this.#eventOf(event),
          heard: (revision) => this.#heardOf(revision),
          compacted: (revision) => this.#wasCompacted(revision),
        },
        stop.signal,
      )
    } catch (thrown) {
      throw thrown instanceof GrpcError ? failureOf(thrown) : thrown
    } finally {
      for (const one of signals) one.removeEventListener("abort", onAbort)
    }
  }

  async compact(revision: number): Promise<void> {
    this.#checkOpen()
    if (revision <= this.#compactRevision) return
    try {
      await this.#tellOfCompaction(revision)
    } catch (thrown) {
      // Of all that can be done about it this is the first.
      if (!(thrown instanceof NoSpaceError)) throw thrown
    }
    try {
      await this.#call("compact", { revision }, true, revision)
      this.#wasCompacted(revision)
    } catch (thrown) {
      // Another server was first.
      if (!(thrown instanceof CompactedError)) throw thrown
    }
  }

  async grantLease(ttlSeconds: number): Promise<number> {
    this.#checkOpen()
    if (!(ttlSeconds > 0)) throw new Error(`Cannot grant a lease of ${ttlSeconds} s: it must be positive`)
    for (;;) {
      // A number of etcd's own choice is larger than what is exact here.
      const id = 1 + randomInt(this.#env.random, 2 ** 47)
      try {
        await this.#call("leaseGrant", { ID: id, TTL: Math.ceil(ttlSeconds) }, false)
        return id
      } catch (thrown) {
        if (!(thrown instanceof StoreFailedError && thrown.message === leaseExistsText)) throw thrown
      }
    }
  }

  async renewLease(id: number): Promise<boolean> {
    this.#checkOpen()
    const stop = new AbortController()
    const onEnd = (): void => stop.abort(this.#end.signal.reason)
    this.#end.signal.addEventListener("abort", onEnd, { once: true })
    try {
      const stream = this.#client.stream("leaseKeepAlive", stop.signal)
      stream.send({ ID: id })
      const answer = await stream.next(stop.signal)
      return (answer?.TTL ?? 0) > 0
    } catch (thrown) {
      throw thrown instanceof GrpcError ? failureOf(thrown) : thrown
    } finally {
      this.#end.signal.removeEventListener("abort", onEnd)
      stop.abort(new CancelledError("The renewal"))
    }
  }

  async revokeLease(id: number): Promise<void> {
    this.#checkOpen()
    try {
      await this.#call("leaseRevoke", { ID: id }, true)
    } catch (thrown) {
      if (!(thrown instanceof StoreFailedError && thrown.message === noLeaseText)) throw thrown
    }
  }

  /** Of the member that answers. */
  async size(): Promise<number> {
    this.#checkOpen()
    return (await this.#call("status", {}, true)).dbSize
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    // What was begun is not known to have happened until it is answered.
    await Promise.allSettled(this.#writes.values())
    this.#end.abort(new CancelledError("The store"))
    this.#client[Symbol.dispose]()
  }

  #checkOpen(): void {
    if (this.#closed) throw new Error("Cannot use the store: it is closed")
  }

  /** `revision`: the one that is asked for. */
  async #call<M extends keyof EtcdCalls>(
    method: M,
    request: EtcdCalls[M][0],
    repeatable: boolean,
    revision = 0,
  ): Promise<EtcdCalls[M][1]> {
    const before = this.#revision
    try {
      const options = { signal: this.#end.signal, repeatable }
      const answer = (await this.#client.call(method, request as never, options)) as EtcdCalls[M][1]
      if (isOfAll.has(method)) this.#checkLife(answer.header, before)
      return answer
    } catch (thrown) {
      if (!(thrown instanceof GrpcError)) throw thrown
      const failure = failureOf(thrown, {
        revision,
        current: this.#revision,
        compactRevision: this.#compactRevision,
      })
      if (failure instanceof CompactedError) this.#wasCompacted(failure.compactRevision)
      throw failure
    }
  }

  /** One write to a key after the other. */
  async #inTurn(key: string, write: () => Promise<WriteResult>): Promise<WriteResult> {
    this.#checkOpen()
    checkKey(key)
    const before = this.#writes.get(key)
    const mine = before ? before.then(write, write) : write()
    this.#writes.set(key, mine)
    try {
      return await mine
    } finally {
      if (this.#writes.get(key) === mine) this.#writes.delete(key)
    }
  }

  /**
   * An answer of all members is of no older state than what was known when it was asked for: if it is, etcd was restored from
   * a copy, and what is known here is of what has not been. `before` is that revision.
   */
  #checkLife({ revision = 0, clusterId = 0 }: Partial<etcd.ResponseHeader> = {}, before: number): void {
    const same = this.#cluster === 0 || this.#cluster === clusterId
    this.#cluster = clusterId
    if (same && revision >= before) return
    this.#env.log.warn("Etcd has another state than before; watches begin anew", { revision, before })
    this.#lostUpTo = Math.max(this.#lostUpTo, this.#revision)
    this.#revision = revision
    this.#compactRevision = 0
    this.#compactions = 0
    const life = this.#life
    this.#life = new AbortController()
    life.abort()
  }

  #heard(header: etcd.ResponseHeader | undefined): number {
    const { revision = 0 } = header ?? {}
    this.#heardOf(revision)
    return revision
  }

  #heardOf(revision: number): void {
    if (revision > this.#revision) this.#revision = revision
  }

  #wasCompacted(revision: number): void {
    if (revision > this.#compactRevision) this.#compactRevision = revision
  }

  /** Only the end of a watch says up to where history is gone. */
  async #learnCompaction(): Promise<void> {
    const stop = new AbortController()
    try {
      await this.#call("range", { key: anyKey, revision: 1, countOnly: true }, true, 1)
    } catch (thrown) {
      if (!(thrown instanceof CompactedError)) throw thrown
      const stream = this.#client.stream("watch", stop.signal)
      stream.send({ createRequest: { key: anyKey, startRevision: 1 } })
      for (let answer = await stream.next(stop.signal); answer; answer = await stream.next(stop.signal)) {
        this.#wasCompacted(answer.compactRevision)
        if (answer.canceled) return
      }
    } finally {
      stop.abort(new CancelledError("The question"))
    }
  }

  /** Mirrors: apiserver pkg/storage/etcd3/compact.go */
  async #tellOfCompaction(revision: number): Promise<void> {
    const key = this.#compactKey
    if (!key) return
    const answer = await this.#call(
      "txn",
      {
        compare: [{ key, target: "VERSION", result: "EQUAL", version: this.#compactions }],
        success: [{ requestPut: { key, value: String(revision) } }],
        failure: [{ requestRange: { key } }],
      },
      false,
    )
    this.#heard(answer.header)
    if (answer.succeeded) this.#compactions++
    else this.#compactions = answer.responses[0]?.responseRange?.kvs[0]?.version ?? 0
  }

  #kvOf({ key, value, createRevision, modRevision, version, lease }: etcd.KeyValue): KeyValue {
    return {
      key: this.#keys.fromEtcd(key),
      value: Buffer.from(value.buffer, value.byteOffset, value.byteLength),
      createRevision,
      modRevision,
      version,
      lease,
    }
  }

  #eventOf({ type, kv, prevKv }: etcd.Event): StoreEvent {
    const { modRevision, key } = kv!
    return {
      type: type === "PUT" ? "put" : "delete",
      revision: modRevision,
      key: this.#keys.fromEtcd(key),
      kv: type === "PUT" ? this.#kvOf(kv!) : undefined,
      previous: prevKv && this.#kvOf(prevKv),
    }
  }
}
