/**
 * Reads one bucket of a bbolt file, in which etcd keeps its data and of which its snapshots are made, page by page.
 * Mirrors: go.etcd.io/bbolt page.go, node.go
 */
import { type FileHandle } from "node:fs/promises"

const magic = 0xed0cdaed
const headerBytes = 16
const elementBytes = 16
const flags = { branch: 1, leaf: 2 } as const
const bucketFlag = 1

interface Meta {
  readonly pageSize: number
  readonly root: number
  readonly transaction: number
}

export interface BoltItem {
  readonly key: Buffer
  readonly value: Buffer
}

export class BoltFile {
  readonly #file: FileHandle
  readonly #meta: Meta
  readonly #size: number

  private constructor(file: FileHandle, meta: Meta, size: number) {
    this.#file = file
    this.#meta = meta
    this.#size = size
  }

  /** `size`: the bytes of the file that are its. Rejects when it is no such file. */
  static async open(file: FileHandle, size: number): Promise<BoltFile> {
    const first = await metaAt(file, 0)
    // The second page: where it is depends on the size of pages, which the first may not say.
    const sizes = first ? [first.pageSize] : [4096, 8192, 16_384, 32_768, 65_536]
    const metas = [first, ...(await Promise.all(sizes.map((at) => metaAt(file, at))))]
    const newest = metas.filter((meta) => meta !== undefined).sort((a, b) => b.transaction - a.transaction)[0]
    if (!newest) throw new Error("it is not a database of etcd")
    return new BoltFile(file, newest, size)
  }

  /** The items of a bucket at the root, in the order of their keys. */
  async *bucket(name: string): AsyncGenerator<BoltItem> {
    for await (const { key, value, isBucket } of this.#items(this.#meta.root, 0)) {
      if (!isBucket || key.toString() !== name) continue
      const root = number(value, 0)
      // A small bucket is in the place of its page.
      if (root === 0) yield* leafItems(value.subarray(headerBytes))
      else yield* this.#items(root, 0)
    }
  }

  async *#items(page: number, depth: number): AsyncGenerator<BoltItem & { readonly isBucket: boolean }> {
    if (depth > 64) throw new Error("its pages are nested without end")
    const bytes = await this.#page(page)
    const kind = bytes.readUInt16LE(8)
    if (kind & flags.leaf) yield* leafItems(bytes)
    else if (kind & flags.branch) {
      const count = bytes.readUInt16LE(10)
      for (let i = 0; i < count; i++) {
        const child = number(bytes, headerBytes + i * elementBytes + 8)
        yield* this.#items(child, depth + 1)
      }
    } else throw new Error(`page ${page} is none of its tree`)
  }

  async #page(page: number): Promise<Buffer> {
    const { pageSize } = this.#meta
    const head = await this.#read(page * pageSize, headerBytes)
    return this.#read(page * pageSize, (1 + head.readUInt32LE(12)) * pageSize)
  }

  async #read(at: number, length: number): Promise<Buffer> {
    if (at + length > this.#size) throw new Error("it is too short")
    const bytes = Buffer.allocUnsafe(length)
    await this.#file.read(bytes, 0, length, at)
    return bytes
  }
}

async function metaAt(file: FileHandle, at: number): Promise<Meta | undefined> {
  const bytes = Buffer.alloc(headerBytes + 64)
  const { bytesRead } = await file.read(bytes, 0, bytes.length, at)
  if (bytesRead < bytes.length || bytes.readUInt32LE(headerBytes) !== magic) return undefined
  return {
    pageSize: bytes.readUInt32LE(headerBytes + 8),
    root: number(bytes, headerBytes + 16),
    transaction: number(bytes, headerBytes + 48),
  }
}

function* leafItems(page: Buffer): Generator<BoltItem & { readonly isBucket: boolean }> {
  const count = page.readUInt16LE(10)
  for (let i = 0; i < count; i++) {
    const at = headerBytes + i * elementBytes
    const start = at + page.readUInt32LE(at + 4)
    const keyEnd = start + page.readUInt32LE(at + 8)
    const end = keyEnd + page.readUInt32LE(at + 12)
    if (end > page.length) throw new Error("an item is beyond its page")
    yield {
      key: page.subarray(start, keyEnd),
      value: page.subarray(keyEnd, end),
      isBucket: (page.readUInt32LE(at) & bucketFlag) !== 0,
    }
  }
}

function number(bytes: Buffer, at: number): number {
  return Number(bytes.readBigUInt64LE(at))
}
