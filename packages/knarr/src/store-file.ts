/** Sees that the store's file is removed under a server that runs, which would go on with what nobody finds again. */
import { stat } from "node:fs/promises"
import { storeDataFile } from "@knarr/store"
import type { Clock } from "@knarr/base"

const lookMs = 2000

/** Rejects when the file of the store in `dir` is gone. It may be another one: it is written anew when it has shrunk. */
export async function watchStoreFile(dir: string, clock: Clock, signal: AbortSignal): Promise<never> {
  const file = storeDataFile(dir)
  for (;;) {
    await clock.sleep(lookMs, signal)
    try {
      await stat(file)
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== "ENOENT") continue
      throw new Error(`the store's file "${file}" was removed while the server ran: it stops`, {
        cause: thrown,
      })
    }
  }
}
