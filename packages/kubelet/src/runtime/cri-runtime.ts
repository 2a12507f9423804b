/**
 * The container runtime behind a CRI socket (containerd).
 * Mirrors: staging/src/k8s.io/cri-client/pkg/{remote_runtime,remote_image}.go
 */
import type { Env } from "@knarr/base"
import { createGrpcClient, GrpcError } from "@knarr/grpc"
import { watchContainerd } from "./containerd-events.ts"
import {
  RuntimeError,
  runtimeCalls,
  type ContainerRuntime,
  type RuntimeCall,
  type RuntimeCalls,
  type RuntimeRequest,
  type RuntimeResponse,
} from "./container-runtime.ts"
import { criCodec as codec } from "./cri-codec.ts"
import { criMethods } from "./cri.gen.ts"

export interface CriRuntimeOptions {
  /** The path of the runtime's unix socket. */
  readonly socket: string
  readonly env: Env
}

/** A client of the runtime at `socket`. Nothing is opened before the first call. */
export function createCriRuntime({ socket, env }: CriRuntimeOptions): ContainerRuntime {
  const client = createGrpcClient({ socket, clock: env.clock })
  const closing = new AbortController()
  const call = async <Call extends RuntimeCall>(
    name: Call,
    request: RuntimeRequest<Call>,
    signal: AbortSignal,
  ): Promise<RuntimeResponse<Call>> => {
    const [path, requestName, responseName] = criMethods[name]
    const encode = codec.encode as (name: string, value: unknown) => Buffer
    const decode = codec.decode as (name: string, bytes: Uint8Array) => unknown
    try {
      const response = await client.unary(path, encode(requestName, request), { signal })
      return decode(responseName, response) as RuntimeResponse<Call>
    } catch (thrown) {
      if (!(thrown instanceof GrpcError)) throw thrown
      throw new RuntimeError(name, thrown.code, thrown.message, { cause: thrown })
    }
  }
  const calls: Record<string, unknown> = {}
  for (const name of runtimeCalls) {
    calls[name] = (request: never, { signal }: { signal: AbortSignal }) => call(name, request, signal)
  }
  const runtime = calls as RuntimeCalls
  const ends = new Ends()
  return {
    ...runtime,
    stopContainer: (request, options) =>
      ends.note(request.containerId, runtime.stopContainer(request, options)),
    stopPodSandbox: (request, options) =>
      ends.note(request.podSandboxId, runtime.stopPodSandbox(request, options)),
    events: (signal) =>
      watchContainerd({
        ...{ socket, env, runtime, signal },
        ending: (id) => ends.of(id),
        closing: closing.signal,
      }),
    async close() {
      closing.abort()
      client.close()
    },
  }
}

/** The calls under way that end something: they return when the runtime's own lists and statuses say so. */
class Ends {
  readonly #calls = new Map<string, Promise<boolean>>()

  note<T>(id: string | undefined, call: Promise<T>): Promise<T> {
    if (!id) return call
    const ended = call.then(
      () => true,
      () => false,
    )
    this.#calls.set(id, ended)
    void ended.finally(() => {
      if (this.#calls.get(id) === ended) this.#calls.delete(id)
    })
    return call
  }

  of(id: string): Promise<boolean> | undefined {
    return this.#calls.get(id)
  }
}
