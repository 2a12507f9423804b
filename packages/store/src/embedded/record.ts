/**
 * The bytes of one revision in the log: a 40-byte header, the key, the value. The checksum covers all that
 * follows it, so a record that was damaged or torn is noticed whenever it is read.
 *
 *     0  crc32        4  type (1 put, 2 delete)     6  length of the key
 *     8  revision of the key's event before this one, 0 for none     16  createRevision
 *    24  version     32  lease     40  key, value
 */
import { crc32 } from "node:zlib"
import { ByteArena } from "@knarr/base"
import type { KeyValue, StoreEvent } from "../store.ts"

const headerBytes = 40

/** Records live until they are on disk and their watchers have read them. */
const arena = new ByteArena()

/** A record that has been read. Its value shares memory with the bytes it was read from. */
export interface LogRecord {
  readonly revision: number
  readonly type: "put" | "delete"
  readonly key: string
  /** The revision of the event before this one of the same key, also when that was a deletion; 0 for none. */
  readonly before: number
  /** Undefined after a deletion. */
  readonly kv: KeyValue | undefined
}

/** The record's bytes, and the event with a value that shares their memory. */
export function encodeRecord(
  change: Pick<StoreEvent, "type" | "revision" | "key" | "previous"> & {
    readonly value: Uint8Array | undefined
    readonly lease: number
    readonly before: number
  },
): { readonly bytes: Buffer; readonly event: StoreEvent } {
  const { type, revision, key, previous, value, lease } = change
  const keyBytes = Buffer.byteLength(key)
  const start = headerBytes + keyBytes
  const bytes = arena.take(start + (value?.length ?? 0))
  const createRevision = previous?.createRevision ?? revision
  const version = (previous?.version ?? 0) + 1
  bytes.writeUInt16LE(type === "put" ? 1 : 2, 4)
  bytes.writeUInt16LE(keyBytes, 6)
  bytes.writeDoubleLE(change.before, 8)
  bytes.writeDoubleLE(createRevision, 16)
  bytes.writeDoubleLE(version, 24)
  bytes.writeDoubleLE(lease, 32)
  bytes.write(key, headerBytes)
  if (value) bytes.set(value, start)
  bytes.writeUInt32LE(crc32(bytes.subarray(4)), 0)
  const kv: KeyValue | undefined =
    type === "put"
      ? { key, value: bytes.subarray(start), createRevision, modRevision: revision, version, lease }
      : undefined
  return { bytes, event: { type, revision, key, kv, previous } }
}

/** Throws an Error that says what is wrong when the bytes are not those of a record. */
export function decodeRecord(revision: number, bytes: Buffer): LogRecord {
  if (bytes.length < headerBytes || crc32(bytes.subarray(4)) !== bytes.readUInt32LE(0))
    throw new Error(`The checksum of revision ${revision} is wrong`)
  const type = bytes.readUInt16LE(4) === 1 ? "put" : "delete"
  const start = headerBytes + bytes.readUInt16LE(6)
  const key = bytes.toString("utf8", headerBytes, start)
  const before = bytes.readDoubleLE(8)
  const kv: KeyValue | undefined =
    type === "put"
      ? {
          key,
          value: bytes.subarray(start),
          createRevision: bytes.readDoubleLE(16),
          modRevision: revision,
          version: bytes.readDoubleLE(24),
          lease: bytes.readDoubleLE(32),
        }
      : undefined
  return { revision, type, key, before, kv }
}

/** A number as 8 bytes that sort as the numbers do. */
export function numberBytes(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeUInt32BE(Math.floor(value / 2 ** 32), 0)
  bytes.writeUInt32BE(value >>> 0, 4)
  return bytes
}

/** The number that {@link numberBytes} wrote. */
export function readNumber(bytes: Uint8Array, at = 0): number {
  const high = bytes[at]! * 2 ** 24 + (bytes[at + 1]! << 16) + (bytes[at + 2]! << 8) + bytes[at + 3]!
  const low = bytes[at + 4]! * 2 ** 24 + (bytes[at + 5]! << 16) + (bytes[at + 6]! << 8) + bytes[at + 7]!
  return high * 2 ** 32 + low
}
