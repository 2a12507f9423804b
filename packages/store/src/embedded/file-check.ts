/**
 * A look at the data file before it is mapped: what is missing of a mapped file stops the whole process with
 * a bus error on first touch, and cannot be caught then.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs"

/** Of LMDB's meta page: the offsets of what is read here, after the page's own header of 24 bytes. */
const magic = 0xbeefc0de
const metaBytes = 24 + 152
const at = { magic: 24, pageSize: 48, lastPage: 144, transaction: 152 }

/**
 * Throws an Error that says what is wrong when `file` is not a whole data file. A file that does not exist is
 * fine, and so is one that ends a few pages early: the last pages of a file may be free ones that were never
 * written.
 */
export function checkDataFile(file: string): void {
  let fd: number
  try {
    fd = openSync(file, "r")
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === "ENOENT") return
    throw thrown
  }
  try {
    const size = fstatSync(fd).size
    if (size === 0) return
    const first = readMeta(fd, 0)
    if (!first) throw new Error("its first page is not one of a store")
    const second = readMeta(fd, first.pageSize)
    if (!second) throw new Error("its second page is not one of a store")
    const newest = first.transaction > second.transaction ? first : second
    const pages = Math.ceil(size / newest.pageSize)
    if (pages + freePages < newest.lastPage + 1)
      throw new Error(`it has ${pages} of ${newest.lastPage + 1} pages`)
  } finally {
    closeSync(fd)
  }
}

const freePages = 64

function readMeta(
  fd: number,
  offset: number,
): { pageSize: number; lastPage: number; transaction: number } | undefined {
  const page = Buffer.alloc(metaBytes)
  if (readSync(fd, page, 0, metaBytes, offset) < metaBytes) return undefined
  if (page.readUInt32LE(at.magic) !== magic) return undefined
  return {
    pageSize: page.readUInt32LE(at.pageSize),
    lastPage: Number(page.readBigUInt64LE(at.lastPage)),
    transaction: Number(page.readBigUInt64LE(at.transaction)),
  }
}
