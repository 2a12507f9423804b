/**
 * Etcd's own snapshots: its database, and behind it the SHA-256 of that. `etcdctl snapshot save` writes the same file.
 * Mirrors: etcd etcdutl/snapshot/v3_snapshot.go
 */
import { createHash } from "node:crypto"
import { type FileHandle, open, rename, rm } from "node:fs/promises"
import { dirname } from "node:path"
import { WireReader } from "@knarr/base"
import { syncDirectory } from "../embedded/database.ts"
import { DamagedSnapshotError } from "../snapshot.ts"
import { BoltFile } from "./bolt-file.ts"
import { EtcdClient, type EtcdClientOptions } from "./etcd-client.ts"
import { EtcdKeys } from "./etcd-keys.ts"

const hashBytes = 32
const chunkBytes = 2 ** 20
/** Databases are made of sectors; what is over is the hash. */
const sectorBytes = 512

/** Writes a snapshot of a member to `file`, which appears only when it is whole and on disk. */
export async function saveEtcdSnapshot(
  options: EtcdClientOptions,
  file: string,
  signal: AbortSignal,
): Promise<{ readonly bytes: number }> {
  using client = new EtcdClient(options)
  const part = `${file}.part`
  try {
    let bytes = 0
    {
      await using handle = await open(part, "w", 0o600)
      for await (const { blob } of client.answers("snapshot", {}, signal)) {
        await handle.writeFile(blob)
        bytes += blob.length
      }
      await handle.sync()
    }
    await checked(part)
    await rename(part, file)
    syncDirectory(dirname(file))
    return { bytes }
  } catch (thrown) {
    await rm(part, { force: true })
    throw thrown
  }
}

/** Whether `file` is one of etcd's, and not of the embedded store. */
export async function isEtcdSnapshot(file: string): Promise<boolean> {
  await using handle = await open(file, "r")
  const { size } = await handle.stat()
  return size % sectorBytes === hashBytes || size % sectorBytes === 0
}

/**
 * The present state of every key in a snapshot, in the order of their last writes. `prefix`: where the cluster is, as
 * `--etcd-prefix`. Throws a {@link DamagedSnapshotError}.
 */
export async function* readEtcdSnapshot(
  file: string,
  prefix?: string,
): AsyncGenerator<{ readonly key: string; readonly value: Buffer; readonly lease: number }> {
  const keys = new EtcdKeys(prefix)
  const size = await checked(file)
  await using handle = await open(file, "r")
  const revisions = await newestRevisions(handle, size, file)
  for await (const { key, value } of itemsIn(handle, size, file)) {
    const item = keyValueOf(value)
    const name = keys.fromEtcd(item.key)
    if (revisions.get(name) === key.toString("latin1")) yield { ...item, key: name }
  }

  async function newestRevisions(
    from: FileHandle,
    bytes: number,
    path: string,
  ): Promise<Map<string, string>> {
    const newest = new Map<string, string>()
    for await (const { key, value } of itemsIn(from, bytes, path)) {
      const name = keys.fromEtcd(keyValueOf(value).key)
      // A revision with a mark behind it is a deletion.
      if (key.length > revisionBytes) newest.delete(name)
      else newest.set(name, key.toString("latin1"))
    }
    return newest
  }
}

const revisionBytes = 17

async function* itemsIn(
  handle: FileHandle,
  size: number,
  file: string,
): AsyncGenerator<{ readonly key: Buffer; readonly value: Buffer }> {
  try {
    yield* (await BoltFile.open(handle, size)).bucket("key")
  } catch (thrown) {
    throw new DamagedSnapshotError(file, thrown instanceof Error ? thrown.message : String(thrown))
  }
}

function keyValueOf(bytes: Buffer): { readonly key: Buffer; readonly value: Buffer; readonly lease: number } {
  const reader = new WireReader(bytes)
  let key: Buffer = Buffer.alloc(0)
  let value: Buffer = Buffer.alloc(0)
  let lease = 0
  while (reader.next()) {
    if (reader.number === 1) key = reader.bytes()
    else if (reader.number === 5) value = reader.bytes()
    else if (reader.number === 6) lease = reader.int64()
    else reader.skip()
  }
  return { key, value, lease }
}

/** The length of the database. A copy of a member's file has no hash, and nothing to be compared with it. */
async function checked(file: string): Promise<number> {
  await using handle = await open(file, "r")
  const { size } = await handle.stat()
  if (size % sectorBytes === 0) return size
  if (size % sectorBytes !== hashBytes) throw new DamagedSnapshotError(file, "its end is missing")
  const hash = createHash("sha256")
  const chunk = Buffer.allocUnsafe(chunkBytes)
  const end = size - hashBytes
  for (let at = 0; at < end;) {
    const { bytesRead } = await handle.read(chunk, 0, Math.min(chunk.length, end - at), at)
    if (bytesRead === 0) throw new DamagedSnapshotError(file, "it ended early")
    hash.update(chunk.subarray(0, bytesRead))
    at += bytesRead
  }
  const said = Buffer.alloc(hashBytes)
  await handle.read(said, 0, hashBytes, end)
  if (!hash.digest().equals(said)) throw new DamagedSnapshotError(file, "its checksum is wrong")
  return end
}
