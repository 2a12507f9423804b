/** Turns at what few can have at once, of which one user has at most one: nobody waits for all that another sent. */
import { abortable, deferred, type Deferred } from "@knarr/base"
import type { UserInfo } from "../../contract.ts"
import { ownerOf } from "../../server/shares.ts"

export class UserTurns {
  readonly #limit: number
  /** Owners that have a turn. */
  readonly #atWork = new Set<string>()
  /** By owner, in the order in which they come next; each waits because it is at work, or because all turns are taken. */
  readonly #waiting = new Map<string, Deferred<void>[]>()

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Dispose what comes back to end the turn. Rejects with the signal's reason. */
  async acquire(user: UserInfo, signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted()
    const owner = ownerOf(user)
    if (this.#atWork.size < this.#limit && !this.#atWork.has(owner)) this.#atWork.add(owner)
    else await this.#wait(owner, signal)
    let held = true
    return {
      [Symbol.dispose]: () => {
        if (held) this.#end(owner)
        held = false
      },
    }
  }

  async #wait(owner: string, signal: AbortSignal): Promise<void> {
    const turn = deferred()
    const turns = this.#waiting.get(owner)
    if (turns) turns.push(turn)
    else this.#waiting.set(owner, [turn])
    try {
      await abortable(turn.promise, signal)
    } catch (thrown) {
      const left = this.#waiting.get(owner)
      const at = left?.indexOf(turn) ?? -1
      if (left === undefined || at < 0) this.#end(owner)
      else {
        left.splice(at, 1)
        if (left.length === 0) this.#waiting.delete(owner)
      }
      throw thrown
    }
  }

  #end(owner: string): void {
    this.#atWork.delete(owner)
    const own = this.#waiting.get(owner)
    if (own) {
      // Behind all others.
      this.#waiting.delete(owner)
      this.#waiting.set(owner, own)
    }
    for (const [next, turns] of this.#waiting) {
      if (this.#atWork.has(next)) continue
      this.#atWork.add(next)
      turns.shift()!.resolve()
      if (turns.length === 0) this.#waiting.delete(next)
      return
    }
  }
}
