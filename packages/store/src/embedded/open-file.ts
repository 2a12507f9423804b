/** The data file in use. Another one may take its place; whoever reads across turns ends with the file it began with. */
import type { Database } from "./database.ts"

export class OpenFile {
  #database: Database
  /** What reads across turns from the file in use. */
  #reads = new Set<Promise<unknown>>()
  /** The files that were in use before, until their reads have ended. */
  readonly #retiring = new Set<Promise<void>>()

  constructor(database: Database) {
    this.#database = database
  }

  /** The file in use; to be asked for anew in each turn. */
  get database(): Database {
    return this.#database
  }

  /** Runs `read`, which takes several turns, on one file that stays open until then. */
  async read<T>(read: (database: Database) => Promise<T>): Promise<T> {
    const reads = this.#reads
    const running = read(this.#database)
    reads.add(running)
    try {
      return await running
    } finally {
      reads.delete(running)
    }
  }

  /** From now on `next` is in use. Resolves when the file before it is closed. */
  replace(next: Database): Promise<void> {
    const [before, reads] = [this.#database, this.#reads]
    this.#database = next
    this.#reads = new Set()
    const retired = Promise.allSettled(reads)
      .then(() => before.close())
      .finally(() => this.#retiring.delete(retired))
    this.#retiring.add(retired)
    return retired
  }

  /** Closes all files when their reads have ended. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#reads, ...this.#retiring])
    await this.#database.close()
  }
}
