/**
 * The runtime of a node's containers, from its start to its end: a containerd of the node's own (`containerd.ts`), or
 * any CRI runtime that somebody else runs.
 */
import { connect } from "node:http2"
import { createConnection } from "node:net"
import { abortable, deferred, messageOf, type Env } from "@knarr/base"
import type { ImageSnapshots } from "@knarr/volume"
import type { ContainerRuntime } from "./container-runtime.ts"
import { createContainerdSnapshots } from "./containerd-snapshots.ts"
import { createCriRuntime } from "./cri-runtime.ts"

export interface NodeRuntime {
  /** As the runtime calls itself; for example `containerd`. */
  readonly name: string
  readonly runtime: ContainerRuntime
  readonly snapshots: ImageSnapshots
  /** Whether it ran already. */
  readonly adopted: boolean
  /** Looks after the runtime until `signal` is aborted, and leaves it running. */
  run(signal: AbortSignal): Promise<void>
  /** Undefined while the runtime answers, else why not. Known only while `run` runs. */
  problem(): string | undefined
  /** Lets go of the runtime; its containers run on. Idempotent. */
  close(): Promise<void>
}

export interface ConnectRuntimeOptions {
  /** The path of the runtime's unix socket. */
  readonly socket: string
  readonly env: Env
}

const askAgainMs = 500

/**
 * The path of the socket in what the kubelet's flag `--container-runtime-endpoint` takes:
 * `unix:///run/containerd/containerd.sock`. Throws a RangeError for what is none.
 */
export function socketOfEndpoint(endpoint: string): string {
  const path = /^(?:unix:\/\/)?(\/.+)$/.exec(endpoint)?.[1]
  if (path === undefined)
    throw new RangeError(
      `Cannot use ${JSON.stringify(endpoint)} as container runtime endpoint: it is no unix:///path`,
    )
  return path
}

/**
 * A runtime that somebody else starts, configures and ends. Resolves when it answers. It needs containerd's service of
 * events beside the CRI, and the CNI configuration of the node in the folder that it was told.
 */
export async function connectRuntime(
  { socket, env }: ConnectRuntimeOptions,
  signal: AbortSignal,
): Promise<NodeRuntime> {
  const runtime = createCriRuntime({ socket, env })
  const snapshots = createContainerdSnapshots({ socket, env, runtime })
  const close = async (): Promise<void> => {
    snapshots.close()
    await runtime.close()
  }
  let problem: string | undefined
  const answers = async (inner: AbortSignal): Promise<string> => {
    for (;;) {
      try {
        const { runtimeName } = await runtime.version({}, { signal: inner })
        problem = undefined
        return runtimeName
      } catch (thrown) {
        inner.throwIfAborted()
        const text = `the container runtime at ${socket} does not answer: ${messageOf(thrown)}`
        if (problem === undefined)
          env.log.warn("The container runtime does not answer", { socket, err: thrown })
        problem = text
      }
      await env.clock.sleep(askAgainMs, inner)
    }
  }
  try {
    const name = await answers(signal)
    return {
      ...{ name, runtime, snapshots, adopted: true },
      async run(inner) {
        for (;;) {
          await untilGone(socket, inner)
          inner.throwIfAborted()
          await answers(inner)
        }
      },
      problem: () => problem,
      close,
    }
  } catch (thrown) {
    await close()
    throw thrown
  }
}

/** Returns when whoever listens closes a connection that is open for nothing else. */
export async function untilGone(socket: string, signal: AbortSignal): Promise<void> {
  const gone = deferred()
  const session = connect("http://localhost", { createConnection: () => createConnection(socket) })
  session.on("error", () => gone.resolve())
  session.on("close", () => gone.resolve())
  try {
    await abortable(gone.promise, signal)
  } finally {
    session.destroy()
  }
}
