/** Keeps the calls that cost a runtime much from all coming at once. */
import { Semaphore } from "@knarr/base"
import type { ContainerRuntime, RuntimeCall } from "../runtime/container-runtime.ts"

/** More at a time make none of them faster. `stopContainer` is not among them: it lasts a grace period. */
const heavyCalls: readonly RuntimeCall[] = [
  "runPodSandbox",
  "stopPodSandbox",
  "removePodSandbox",
  "createContainer",
  "startContainer",
  "removeContainer",
]

/** `runtime`, with at most `limit` heavy calls at a time; others wait their turn. */
export function boundRuntime(runtime: ContainerRuntime, limit: number): ContainerRuntime {
  const turns = new Semaphore(limit)
  const bounded: Record<string, unknown> = {}
  for (const name of heavyCalls) {
    const call = runtime[name] as (request: unknown, options: { signal: AbortSignal }) => Promise<unknown>
    bounded[name] = async (request: unknown, options: { signal: AbortSignal }) => {
      using _turn = await turns.acquire(options.signal)
      return await call.call(runtime, request, options)
    }
  }
  return { ...runtime, ...(bounded as Partial<ContainerRuntime>) }
}
