/**
 * A snapshot of an embedded store: its data file, compacted, at one revision, followed by 48 bytes: the mark
 * "KNARRSN1", the revision, and the SHA-256 of everything before itself.
 */
import { type Hash, createHash } from "node:crypto"
import { type FileHandle, mkdir, open, readdir, rename, rm } from "node:fs/promises"
import { dirname } from "node:path"
import { dataFile } from "./embedded/data-file.ts"
import { revisionOf, syncDirectory } from "./embedded/database.ts"
import type { EmbeddedStore } from "./embedded/embedded-store.ts"
import { numberBytes, readNumber } from "./embedded/record.ts"

const mark = Buffer.from("KNARRSN1")
const trailerBytes = mark.length + 8 + 32
const chunkBytes = 2 ** 20

/** The file is not a whole snapshot. */
export class DamagedSnapshotError extends Error {
  constructor(file: string, why: string) {
    super(`Cannot read the snapshot "${file}": ${why}`)
    this.name = "DamagedSnapshotError"
  }
}

/**
 * Writes a snapshot of `store`, while it is in use, to `file`, which appears only when it is whole and on disk.
 * Returns the revision that it holds.
 */
export async function saveSnapshot(store: EmbeddedStore, file: string): Promise<{ revision: number }> {
  const part = `${file}.part`
  await rm(part, { force: true })
  try {
    await store.backup(part)
    const revision = await revisionOf(part)
    await using handle = await open(part, "r+")
    // Secrets are in it.
    await handle.chmod(0o600)
    const { size } = await handle.stat()
    const hash = createHash("sha256")
    await readInto(handle, size, hash)
    const head = Buffer.concat([mark, numberBytes(revision)])
    const trailer = Buffer.concat([head, hash.update(head).digest()])
    await handle.write(trailer, 0, trailer.length, size)
    await handle.sync()
    await rename(part, file)
    syncDirectory(dirname(file))
    return { revision }
  } catch (thrown) {
    await rm(part, { force: true })
    throw thrown
  }
}

/**
 * Makes the directory `dir`, which must not hold a store, a store with what the snapshot holds. Throws
 * {@link DamagedSnapshotError} and leaves nothing behind when the file is not whole.
 */
export async function restoreSnapshot(file: string, dir: string): Promise<{ revision: number }> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const target = dataFile(dir)
  const part = `${target}.part`
  const names = await readdir(dir)
  if (names.includes("data.mdb"))
    throw new Error(`Cannot restore a snapshot into "${dir}": there is a store already`)
  try {
    await using from = await open(file, "r")
    const size = (await from.stat()).size - trailerBytes
    const trailer = Buffer.alloc(trailerBytes)
    if (size < 0) throw new DamagedSnapshotError(file, "it is too short")
    await from.read(trailer, 0, trailerBytes, size)
    if (!trailer.subarray(0, mark.length).equals(mark))
      throw new DamagedSnapshotError(file, "it is not a snapshot, or its end is missing")
    const hash = createHash("sha256")
    {
      await using to = await open(part, "w", 0o600)
      await readInto(from, size, hash, to)
      await to.sync()
    }
    hash.update(trailer.subarray(0, mark.length + 8))
    if (!hash.digest().equals(trailer.subarray(mark.length + 8)))
      throw new DamagedSnapshotError(file, "its checksum is wrong")
    await rename(part, target)
    syncDirectory(dir)
    syncDirectory(dirname(dir))
    return { revision: readNumber(trailer, mark.length) }
  } finally {
    await rm(part, { force: true })
  }
}

/** Feeds the first `size` bytes of `from` to `hash`, and to `to`. */
async function readInto(from: FileHandle, size: number, hash: Hash, to?: FileHandle): Promise<void> {
  const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, Math.max(size, 1)))
  for (let at = 0; at < size;) {
    const { bytesRead } = await from.read(chunk, 0, Math.min(chunk.length, size - at), at)
    if (bytesRead === 0) throw new Error("Cannot copy a snapshot: its file ended early")
    const bytes = chunk.subarray(0, bytesRead)
    hash.update(bytes)
    if (to) await to.writeFile(bytes)
    at += bytesRead
  }
}
