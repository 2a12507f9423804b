/**
 * How many pages of the data file a transaction can take at the most. LMDB copies each page that it changes, and
 * whether it finds free pages for the copies is not known beforehand (a reader may hold them), so all are counted.
 */

/** Bytes of a page of the data file. */
export const pageBytes = 16384
/** A record of more bytes than this has pages of its own (LMDB: two entries must fit a page). */
const inlineBytes = 8100

/** What the writes of a transaction do, added up. */
export interface Cost {
  /** Pages that new records fill. */
  records: number
  /** How many records are removed from the log. */
  removed: number
  /** How many entries of the other tables are written or removed. */
  touched: number
  /** The bytes of their keys. */
  keyBytes: number
}

/** The pages of the trees that a transaction may have to copy. */
export interface TreePages {
  readonly logLeaves: number
  readonly logBranches: number
  /** Of all other tables together. */
  readonly leaves: number
  readonly branches: number
  /** Of the list of free pages, which each transaction may write anew. */
  readonly freeList: number
}

export function noCost(): Cost {
  return { records: 0, removed: 0, touched: 0, keyBytes: 0 }
}

/** What writing a record of `bytes` about a key costs: the record, and the key's entries in up to four tables. */
export function recordCost(bytes: number, keyBytes: number): Cost {
  const records = bytes > inlineBytes ? Math.ceil((bytes + 24) / pageBytes) : (2 * (bytes + 32)) / pageBytes
  return { records, removed: 0, touched: 4, keyBytes: 4 * keyBytes }
}

/** What it costs to remove records from the log and to write or remove entries of the other tables. */
export function entriesCost(options: { removed?: number; touched?: number }): Cost {
  const { removed = 0, touched = 0 } = options
  return { records: 0, removed, touched, keyBytes: 64 * touched }
}

/** What takes about `bytes` of new room. */
export function roomCost(bytes: number): Cost {
  return { ...noCost(), records: bytes / pageBytes }
}

export function addCost(sum: Cost, more: Cost): void {
  sum.records += more.records
  sum.removed += more.removed
  sum.touched += more.touched
  sum.keyBytes += more.keyBytes
}

/**
 * The bytes by which a transaction of this cost can lengthen the data file. A leaf that shrinks may take its
 * neighbour along, one that grows may split, and so up the branches.
 */
export function boundOf(cost: Cost, trees: TreePages): number {
  const { records, removed, touched, keyBytes } = cost
  const log = records + Math.min(2 * removed, trees.logLeaves) + 3 * Math.min(removed, trees.logBranches) + 10
  const tables =
    Math.min(2 * touched, trees.leaves) +
    Math.min(touched, trees.leaves) +
    3 * Math.min(touched, trees.branches) +
    (2 * keyBytes) / pageBytes +
    12
  const freed = log + tables + 96 * removed
  const freeList = trees.freeList + freed / 1000 + 16
  return Math.ceil(log + tables + freeList) * pageBytes
}
