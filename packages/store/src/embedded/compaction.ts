/**
 * Removing the past. After a compaction at R the log holds every event from R on and, of each key that existed
 * just before R, the event that made it what it then was. So every state from R on can be read, and a watch
 * from R knows the `previous` of each event.
 */
import { entriesCost } from "./batch-cost.ts"
import type { Database } from "./database.ts"
import type { OpenFile } from "./open-file.ts"
import { numberBytes, readNumber } from "./record.ts"
import type { Writer } from "./writer.ts"

/** How many events one step looks at: a few milliseconds' work, in a commit shared with ordinary writes. */
const step = 128
/** And when the disk is short of room, since each may copy some pages. */
const shortStep = 16

/**
 * Removes what the events in [from, to) made superfluous: the event of the same key before each, and deletions
 * themselves. `from` is where the last sweep ended. May be stopped and repeated at any point.
 */
export async function sweep(options: {
  /** The file in use; another one may take its place between two steps. */
  file: OpenFile
  writer: Writer
  from: number
  to: number
  signal: AbortSignal
}): Promise<void> {
  const { file, writer, to, signal } = options
  for (let from = options.from; from < to;) {
    signal.throwIfAborted()
    const { database } = file
    const { log, deleted } = database
    const superfluous: Buffer[] = []
    const forgotten: Buffer[] = []
    const limit = writer.short ? shortStep : step
    let next = to
    let seen = 0
    for (const { key: at, value } of log.getRange({
      start: numberBytes(from),
      end: numberBytes(to),
      limit,
    })) {
      const revision = readNumber(at)
      if (++seen === limit) next = revision + 1
      const { type, key, before } = database.decode(revision, value)
      if (before !== 0) superfluous.push(numberBytes(before))
      if (type !== "delete") continue
      superfluous.push(numberBytes(revision))
      // A write on its way has already replaced the key's mark, or is about to.
      const keyBytes = Buffer.from(key)
      const mark = writer.busy(key) ? undefined : deleted.getBinary(keyBytes)
      if (mark && readNumber(mark) === revision) forgotten.push(keyBytes)
    }
    const remove = (to: Database): void => {
      for (const revision of superfluous) void to.log.remove(revision)
      for (const key of forgotten) void to.deleted.remove(key)
      to.setNumber("swept", next)
    }
    const cost = entriesCost({ removed: superfluous.length, touched: forgotten.length + 1 })
    await writer.maintain(remove, cost, true)
    from = next
  }
}
