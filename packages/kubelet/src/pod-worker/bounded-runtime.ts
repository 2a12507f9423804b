/** Keeps the calls that cost a runtime much from all coming at once. */
import { abortable, deferred, type Deferred } from "@knarr/base"
import type { ContainerRuntime, RuntimeCall } from "../runtime/container-runtime.ts"

/**
 * More at a time make none of them faster. What brings a pod nearer to its end or its readiness goes first;
 * cleaning up comes last. `stopContainer` is not among them: it lasts a grace period.
 */
const heavyCalls: readonly (readonly RuntimeCall[])[] = [
  ["startContainer", "stopPodSandbox"],
  ["createContainer"],
  ["runPodSandbox"],
  ["removePodSandbox", "removeContainer"],
]

/**
 * `runtime`, with at most `limit` heavy calls at a time; others wait their turn. A caller may give up only while it
 * waits: what has begun goes on to its end or that of `life`, since a start cut short would look like a failed one.
 */
export function boundRuntime(runtime: ContainerRuntime, limit: number, life: AbortSignal): ContainerRuntime {
  const turns = new Turns(limit, heavyCalls.length)
  const bounded: Record<string, unknown> = {}
  for (const [rank, names] of heavyCalls.entries())
    for (const name of names) {
      const call = runtime[name] as (request: unknown, options: { signal: AbortSignal }) => Promise<unknown>
      bounded[name] = async (request: unknown, options: { signal: AbortSignal }) => {
        await turns.acquire(rank, options.signal)
        try {
          return await call.call(runtime, request, { ...options, signal: life })
        } finally {
          turns.release()
        }
      }
    }
  return { ...runtime, ...(bounded as Partial<ContainerRuntime>) }
}

/** A semaphore that lets lower ranks go first. */
class Turns {
  #free: number
  readonly #waiting: Deferred<void>[][]

  constructor(limit: number, ranks: number) {
    this.#free = limit
    this.#waiting = Array.from({ length: ranks }, () => [])
  }

  async acquire(rank: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#free > 0) {
      this.#free--
      return
    }
    const turn = deferred()
    const queue = this.#waiting[rank]!
    queue.push(turn)
    try {
      await abortable(turn.promise, signal)
    } catch (thrown) {
      const at = queue.indexOf(turn)
      if (at >= 0) queue.splice(at, 1)
      else this.release()
      throw thrown
    }
  }

  release(): void {
    const next = this.#waiting.find((queue) => queue.length > 0)?.shift()
    if (next) next.resolve()
    else this.#free++
  }
}
