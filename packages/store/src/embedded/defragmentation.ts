/**
 * Makes the data file small again while it is in use: what is in it is copied into a new file, slice by slice,
 * with what is written meanwhile sent after it, and between two commits the new file takes the old one's name. Until then
 * the store is the old file alone, so the copy can be given up, or lost in a crash, at any moment. Mirrors: etcd
 * server/storage/backend (Defrag), which stops reads and writes for as long as it takes.
 *
 * The copy needs no snapshot: all writes since before it began are applied to it in their order, each says what its
 * entries then are, and so the last one of each entry decides, whatever the copy had seen of it.
 */
import { setImmediate } from "node:timers/promises"
import { asError, abortable } from "@knarr/base"
import { NoSpaceError } from "../store.ts"
import { type Cost, addCost, entriesCost, noCost, recordCost } from "./batch-cost.ts"
import { type ByteTable, Database, dataTables, removeCopy, syncDirectory } from "./database.ts"
import type { OpenFile } from "./open-file.ts"
import { freeOnDisk } from "./reserve.ts"
import type { Committed, Writer } from "./writer.ts"

/** A file is copied when so many of its bytes are free, and they are half of it. */
const leastFree = 32 * 2 ** 20
const leastShare = 0.5
/** What stays free on the disk beside the copy. */
const leftOnDisk = 64 * 2 ** 20
/** One turn copies so many entries or bytes: some milliseconds' work. */
const slice = 256
const sliceBytes = 2 ** 20
/** So many bytes of writes may wait for the copy; when more come, the store is too busy for it. */
const mostWaiting = 32 * 2 ** 20
/** The files change places once no more than this is waiting: that, and at most two commits, is what writers wait for. */
const fewWaiting = 256 * 2 ** 10

/** The copy was given up for a reason that time mends; the store is as it was. */
export class CopyGivenUpError extends Error {
  constructor(why: string, cause?: unknown) {
    super(`Cannot make the store's file smaller now: ${why}`, { cause })
    this.name = "CopyGivenUpError"
  }
}

/** Whether a file with so many bytes up to its last page in use, and so many of them free, is worth copying. */
export function isDue({ used, free }: { used: number; free: number }): boolean {
  return free >= leastFree && free >= used * leastShare
}

export class Defragmentation {
  readonly #dir: string
  readonly #file: OpenFile
  readonly #writer: Writer
  readonly #stop = new AbortController()
  #waiting: Committed[] = []
  #waitingBytes = 0
  #ended: Promise<void> | undefined

  constructor(options: { dir: string; file: OpenFile; writer: Writer }) {
    this.#dir = options.dir
    this.#file = options.file
    this.#writer = options.writer
  }

  /**
   * Once for each object. Throws {@link CopyGivenUpError}, having left nothing behind, when the disk has no room, the store is
   * too busy, or {@link giveUp} was called; any other error says that the copy or the disk is not right.
   */
  run(): Promise<void> {
    this.#ended = this.#run()
    return this.#ended
  }

  /** Gives the copy up, unless it is taking its place just now; resolves when its room is free again. */
  async giveUp(why: string): Promise<void> {
    this.#stop.abort(new CopyGivenUpError(why))
    await this.#ended?.catch(() => {})
  }

  async #run(): Promise<void> {
    const { used, free } = this.#file.database.usage()
    if (freeOnDisk(this.#dir) < used - free + leftOnDisk)
      throw new CopyGivenUpError("the disk has no room for a copy")
    let copy: Database | undefined
    let placed = false
    try {
      this.#writer.follow((committed) => this.#follow(committed))
      copy = await Database.openCopy(this.#dir)
      await this.#copyTables(copy)
      while (this.#waitingBytes > fewWaiting) await this.#catchUp(copy)
      const done = copy
      const { signal } = this.#stop
      const swap = this.#writer.alone(async () => {
        signal.throwIfAborted()
        await this.#catchUp(done)
        this.#compare(done)
        done.takePlace(this.#dir)
        placed = true
        void this.#file.replace(done)
        this.#writer.use(() => syncDirectory(this.#dir))
      })
      await abortable(swap, signal)
    } catch (thrown) {
      throw thrown instanceof NoSpaceError
        ? new CopyGivenUpError("the disk is full", thrown)
        : asError(thrown)
    } finally {
      this.#writer.follow(undefined)
      if (!placed) {
        await copy?.close()
        removeCopy(this.#dir)
      }
    }
  }

  #follow(committed: Committed): void {
    this.#waiting.push(committed)
    this.#waitingBytes += committed.bytes
    if (this.#waitingBytes > mostWaiting) this.#stop.abort(new CopyGivenUpError("too much is being written"))
  }

  async #copyTables(copy: Database): Promise<void> {
    for (const name of dataTables) {
      let start = Buffer.alloc(0)
      for (;;) {
        this.#stop.signal.throwIfAborted()
        const read = readSlice(this.#file.database[name], start)
        const last = read.entries.at(-1)
        if (!last) break
        await write(copy, read.cost, () => {
          for (const { key, value } of read.entries) copy.append(name, key, value)
        })
        start = Buffer.concat([last.key, Buffer.of(0)])
        await setImmediate()
      }
    }
    await write(copy, entriesCost({ touched: 2 }), () => {
      for (const name of ["compacted", "swept"] as const) {
        const value = this.#file.database.number(name)
        if (value !== undefined) copy.setNumber(name, value)
      }
    })
  }

  /** Applies to the copy what was waiting when this was called. */
  async #catchUp(copy: Database): Promise<void> {
    const waiting = this.#waiting
    this.#waiting = []
    this.#waitingBytes = 0
    for (const { writes, cost } of waiting) {
      this.#stop.signal.throwIfAborted()
      await write(copy, cost, () => {
        for (const write of writes) write(copy)
      })
    }
  }

  #compare(copy: Database): void {
    const [have, want] = [copy.entries(), this.#file.database.entries()]
    if (have.some((entries, table) => entries !== want[table]))
      throw new Error(`The copy of the store has ${have.join(", ")} entries and not ${want.join(", ")}`)
  }
}

async function write(copy: Database, cost: Cost, writes: () => void): Promise<void> {
  await copy.makeRoom(cost, false)
  await copy.commit(writes)
}

interface Slice {
  readonly entries: readonly { readonly key: Buffer; readonly value: Buffer }[]
  readonly cost: Cost
}

function readSlice(table: ByteTable, start: Buffer): Slice {
  const entries: { key: Buffer; value: Buffer }[] = []
  const cost = noCost()
  let bytes = 0
  for (const { key, value } of table.getRange({ start, limit: slice })) {
    entries.push({ key, value })
    addCost(cost, recordCost(value.length, key.length))
    bytes += value.length
    if (bytes >= sliceBytes) break
  }
  return { entries, cost }
}
