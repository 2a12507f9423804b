/**
 * A look at the data file before it is mapped: what is missing of a mapped file stops the whole process with
 * a bus error on first touch, and cannot be caught then. Knows LMDB's page layout (mdb.c: MDB_page_header,
 * MDB_meta, MDB_node), as far as is needed to see that every page in use is there.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs"

const magic = 0xbeefc0de
const headerBytes = 24
const noPage = 2n ** 64n - 1n
/** Offsets in a meta page. A tree's root is the last field of its record of 48 bytes. */
const at = { magic: 24, pageSize: 48, freeRoot: 88, mainRoot: 136, lastPage: 144, transaction: 152 }
const pageFlag = { branch: 1, leaf: 2, overflow: 4 }
const nodeFlag = { big: 1, tree: 2 }

interface Meta {
  readonly pageSize: number
  readonly lastPage: number
  readonly transaction: number
  readonly roots: readonly bigint[]
}

/**
 * Throws an Error that says what is wrong when `file` is not a whole data file. A file that does not exist is
 * fine. Reads two pages of a file that is as long as it says it is. One that is shorter may be whole all the
 * same, as its last pages may be free ones that were never written: then all pages in use are looked at.
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
    const { size } = fstatSync(fd)
    if (size === 0) return
    const first = readMeta(fd, 0)
    if (!first) throw new Error("its first page is not one of a store")
    const second = readMeta(fd, first.pageSize)
    if (!second) throw new Error("its second page is not one of a store")
    const newest = first.transaction > second.transaction ? first : second
    if (size < (newest.lastPage + 1) * first.pageSize) {
      const walk = new PageWalk(fd, first.pageSize, Math.floor(size / first.pageSize))
      for (const root of newest.roots) if (root !== noPage) walk.tree(Number(root))
    }
  } finally {
    closeSync(fd)
  }
}

function readMeta(fd: number, offset: number): Meta | undefined {
  const page = Buffer.alloc(at.transaction + 8)
  if (readSync(fd, page, 0, page.length, offset) < page.length) return undefined
  if (page.readUInt32LE(at.magic) !== magic) return undefined
  return {
    pageSize: page.readUInt32LE(at.pageSize),
    lastPage: Number(page.readBigUInt64LE(at.lastPage)),
    transaction: Number(page.readBigUInt64LE(at.transaction)),
    roots: [page.readBigUInt64LE(at.freeRoot), page.readBigUInt64LE(at.mainRoot)],
  }
}

class PageWalk {
  readonly #fd: number
  readonly #pageSize: number
  readonly #pages: number

  constructor(fd: number, pageSize: number, pages: number) {
    this.#fd = fd
    this.#pageSize = pageSize
    this.#pages = pages
  }

  tree(root: number): void {
    const page = this.#read(root)
    const flags = page.readUInt16LE(18)
    if ((flags & (pageFlag.branch | pageFlag.leaf)) === 0) throw new Error(`its page ${root} is of no kind`)
    const nodes = page.readUInt16LE(20) >> 1
    for (let i = 0; i < nodes; i++) {
      const node = headerBytes + page.readUInt16LE(headerBytes + 2 * i)
      const low = page.readUInt32LE(node)
      const high = page.readUInt16LE(node + 4)
      if (flags & pageFlag.branch) this.tree(high * 2 ** 32 + low)
      else {
        const data = node + 8 + page.readUInt16LE(node + 6)
        if (high & nodeFlag.big) this.#overflow(Number(page.readBigUInt64LE(data)))
        else if (high & nodeFlag.tree) {
          const child = page.readBigUInt64LE(data + 40)
          if (child !== noPage) this.tree(Number(child))
        }
      }
    }
  }

  /** A value that is too large for a leaf has pages of its own, the first of which says how many. */
  #overflow(first: number): void {
    const page = this.#read(first)
    if ((page.readUInt16LE(18) & pageFlag.overflow) === 0) throw new Error(`its page ${first} is of no kind`)
    this.#check(first + page.readUInt32LE(20) - 1)
  }

  #read(number: number): Buffer {
    this.#check(number)
    const page = Buffer.alloc(this.#pageSize)
    readSync(this.#fd, page, 0, page.length, number * this.#pageSize)
    if (Number(page.readBigUInt64LE(0)) !== number) throw new Error(`its page ${number} is another one`)
    return page
  }

  #check(number: number): void {
    if (number >= this.#pages) throw new Error(`it has ${this.#pages} pages and needs page ${number}`)
  }
}
