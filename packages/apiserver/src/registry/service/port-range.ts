/**
 * The node ports that are taken, as one object of the store that all servers change by compare-and-put: a
 * RangeAllocation, whose bits count from the range's first port. Changes of one moment share a write.
 * Mirrors: pkg/registry/core/service/allocator/storage/storage.go
 */
import {
  decodeProtobuf,
  encodeProtobufDocument,
  isProtobufDocument,
  openProtobufEnvelope,
  schemaOf,
} from "@knarr/apimachinery"
import { deferred, type Deferred } from "@knarr/base"
import type { Store, WriteResult } from "@knarr/store"
import type { StorageFormat } from "../stored-form.ts"
import type { PortSpan } from "./port-allocator.ts"

const rangeAllocation = schemaOf("io.k8s.api.core.v1.RangeAllocation")

/** Upstream's key. */
const path = "/registry/ranges/servicenodeports"

interface Change {
  readonly take: readonly number[]
  readonly release: readonly number[]
  readonly done: Deferred<boolean>
}

export class PortRange {
  readonly span: PortSpan
  readonly #store: Store
  readonly #format: StorageFormat
  #revision = 0
  /** As the store had it when it was last looked at. */
  #stored: ReadonlySet<number> = new Set()
  #waiting: Change[] = []
  #running = false

  constructor(store: Store, span: PortSpan, format: StorageFormat) {
    this.#store = store
    this.#format = format
    this.span = span
  }

  contains(port: number): boolean {
    return port >= this.span.first && port <= this.span.last
  }

  /** As far as this server has heard. */
  isTaken(port: number): boolean {
    return this.#stored.has(port)
  }

  get taken(): ReadonlySet<number> {
    return this.#stored
  }

  /** Takes all of `ports`, or none: false when another has one of them, which {@link isTaken} then tells. */
  async claim(ports: readonly number[]): Promise<boolean> {
    return this.#change(
      ports.filter((port) => this.contains(port)),
      [],
    )
  }

  async release(ports: readonly number[]): Promise<void> {
    await this.#change([], ports)
  }

  /** Looks at the store: what others gave back is free again. True when that changed anything. */
  async refresh(): Promise<boolean> {
    const before = this.#revision
    const kv = await this.#store.get(path)
    if (kv && kv.modRevision > this.#revision) this.#read(kv.modRevision, kv.value)
    return this.#revision !== before
  }

  #change(take: readonly number[], release: readonly number[]): Promise<boolean> | boolean {
    if (take.length === 0 && release.length === 0) return true
    const done = deferred<boolean>()
    this.#waiting.push({ take, release, done })
    if (!this.#running) void this.#run()
    return done.promise
  }

  async #run(): Promise<void> {
    this.#running = true
    while (this.#waiting.length > 0) {
      const changes = this.#waiting
      this.#waiting = []
      try {
        await this.#apply(changes)
      } catch (thrown) {
        for (const { done } of changes) done.reject(thrown)
      }
    }
    this.#running = false
  }

  async #apply(changes: readonly Change[]): Promise<void> {
    for (;;) {
      const next = new Set(this.#stored)
      const answers = changes.map(({ take, release }) => {
        if (take.some((port) => next.has(port))) return false
        for (const port of take) next.add(port)
        for (const port of release) next.delete(port)
        return true
      })
      const same = next.size === this.#stored.size && [...next].every((port) => this.#stored.has(port))
      const value = this.#encode(next)
      const result: WriteResult | undefined = same
        ? undefined
        : await this.#store.put(path, value, { expected: this.#revision })
      if (result && !result.ok) {
        if (result.current) this.#read(result.current.modRevision, result.current.value)
        else [this.#revision, this.#stored] = [0, new Set()]
        continue
      }
      if (result) [this.#revision, this.#stored] = [result.revision, next]
      for (const [i, { done }] of changes.entries()) done.resolve(answers[i]!)
      return
    }
  }

  #encode(ports: ReadonlySet<number>): Buffer {
    const { first, last } = this.span
    // A big number's bytes, as Go's: the lowest port is the lowest bit of the last byte.
    const length = Math.ceil((last - first + 1) / 8)
    const bits = Buffer.alloc(length)
    for (const port of ports) {
      const offset = port - first
      if (offset >= 0 && port <= last) bits[length - 1 - (offset >> 3)]! |= 1 << (offset & 7)
    }
    const begin = bits.findIndex((byte) => byte !== 0)
    const data = (begin < 0 ? Buffer.alloc(0) : bits.subarray(begin)).toString("base64")
    const object = {
      kind: "RangeAllocation",
      apiVersion: "v1",
      metadata: {},
      range: `${first}-${last}`,
      data,
    }
    if (this.#format === "stamped") return Buffer.from(JSON.stringify(object))
    return encodeProtobufDocument(rangeAllocation, object, object)
  }

  /** Ports that the range has no more, since its span is another, are forgotten. */
  #read(revision: number, value: Buffer): void {
    const { range, data } = (
      isProtobufDocument(value)
        ? decodeProtobuf(rangeAllocation, openProtobufEnvelope(value).raw)
        : JSON.parse(value.toString())
    ) as { range: string; data?: string }
    const first = Number(range.slice(0, range.indexOf("-")))
    const bits = Buffer.from(data ?? "", "base64")
    const ports = new Set<number>()
    for (let offset = 0; offset < bits.length * 8; offset++) {
      const byte = bits[bits.length - 1 - (offset >> 3)]!
      if (byte & (1 << (offset & 7)) && this.contains(first + offset)) ports.add(first + offset)
    }
    this.#revision = revision
    this.#stored = ports
  }
}
