/**
 * Ends containers: preStop hooks, the stop signal, and the end of the grace period; sidecars after those that
 * they serve.
 * Mirrors: pkg/kubelet/kuberuntime/kuberuntime_container.go (killContainer), kuberuntime_termination_order.go
 */
import type { Container, Pod } from "@knarr/api"
import { isSidecar } from "@knarr/pod-rules"
import { abortable, deferred, messageOf, type Deferred } from "@knarr/base"
import { partOf } from "@knarr/client"
import { isRuntimeNotFound } from "../runtime/container-runtime.ts"
import { fieldPathOf } from "./container-paths.ts"
import { runHook } from "./lifecycle-hooks.ts"
import type { KillReason } from "./plan.ts"
import type { PodWorkerParts } from "./settings.ts"

/** No container gets less, so that a signal is not followed by death at once. */
const minGraceSeconds = 2

/** What has been begun already, so that a shorter grace period does not begin it again. */
export interface StopMemory {
  /** Ids of containers whose preStop hook and event were done. */
  readonly begun: Set<string>
}

export interface ContainerToStop {
  readonly container: Readonly<Container>
  readonly containerId: string
  readonly reason?: KillReason
  /** Default: `Stopping container x`. */
  readonly message?: string
}

export interface StopContext {
  readonly pod: Readonly<Pod>
  readonly podIP: string
  readonly parts: PodWorkerParts
  readonly memory: StopMemory
  /** Instead of what the pod and its probes say. */
  readonly graceSeconds?: number | undefined
}

/** Ends them all; returns when they have ended. */
export async function stopContainers(
  targets: readonly ContainerToStop[],
  context: StopContext,
  signal: AbortSignal,
): Promise<void> {
  const done = new Map<string, Deferred<void>>(targets.map(({ container }) => [container.name, deferred()]))
  const results = await Promise.allSettled(
    targets.map(async (target) => {
      try {
        await stopOne(target, turnOf(target, targets, context.pod, done), context, signal)
      } finally {
        done.get(target.container.name)!.resolve()
      }
    }),
  )
  signal.throwIfAborted()
  for (const result of results) if (result.status === "rejected") throw result.reason
}

/** What a container waits for before it gets its signal: nothing, or for a sidecar the end of those after it. */
function turnOf(
  target: ContainerToStop,
  all: readonly ContainerToStop[],
  pod: Readonly<Pod>,
  done: ReadonlyMap<string, Deferred<void>>,
): Promise<unknown> | undefined {
  const init = pod.spec.initContainers ?? []
  const indexOf = (name: string): number => init.findIndex((other) => other.name === name && isSidecar(other))
  const own = indexOf(target.container.name)
  if (own < 0) return undefined
  const before = all.filter(({ container }) => {
    const index = indexOf(container.name)
    return index < 0 || index > own
  })
  return Promise.all(before.map(({ container }) => done.get(container.name)!.promise))
}

async function stopOne(
  target: ContainerToStop,
  turn: Promise<unknown> | undefined,
  context: StopContext,
  signal: AbortSignal,
): Promise<void> {
  const { pod, parts, memory } = context
  const { container, containerId } = target
  const { clock } = parts.env
  const graceMs = 1000 * (context.graceSeconds ?? graceOf(pod, target))
  const startMs = clock.monotonic()
  const leftMs = (): number => graceMs - (clock.monotonic() - startMs)
  if (!memory.begun.has(containerId)) {
    memory.begun.add(containerId)
    const message = target.message || `Stopping container ${container.name}`
    parts.events.event(partOf(pod, fieldPathOf(pod, container.name)), "Normal", "Killing", message)
    if (container.lifecycle?.preStop && graceMs > 0) await preStop(target, context, graceMs, signal)
  }
  if (turn && leftMs() > 0) await within(turn, leftMs(), context, signal)
  const seconds = Math.max(Math.ceil(leftMs() / 1000), minGraceSeconds)
  try {
    await parts.runtime.stopContainer({ containerId, timeout: seconds }, { signal })
  } catch (thrown) {
    if (!isRuntimeNotFound(thrown)) throw thrown
  }
}

async function preStop(
  { container, containerId }: ContainerToStop,
  context: StopContext,
  limitMs: number,
  signal: AbortSignal,
): Promise<void> {
  const { pod, podIP, parts } = context
  const hook = (async () => {
    try {
      await runHook(container.lifecycle!.preStop!, { pod, container, containerId, podIP }, parts, signal)
    } catch (thrown) {
      if (signal.aborted) return
      parts.env.log.warn("A preStop hook failed", { pod: pod.metadata.name, err: messageOf(thrown) })
      const subject = partOf(pod, fieldPathOf(pod, container.name))
      parts.events.event(subject, "Warning", "FailedPreStopHook", "PreStopHook failed")
    }
  })()
  await within(hook, limitMs, context, signal)
}

/** Resolves when `promise` settles or after `limitMs`. Rejects when the signal is aborted. */
async function within(
  promise: Promise<unknown>,
  limitMs: number,
  { parts }: StopContext,
  signal: AbortSignal,
): Promise<void> {
  const time = deferred()
  using _timer = parts.env.clock.timer(limitMs, () => time.resolve())
  await abortable(Promise.race([promise, time.promise]), signal)
}

/** Seconds from the first hook to the end. */
function graceOf(pod: Readonly<Pod>, { container, reason }: ContainerToStop): number {
  const { deletionGracePeriodSeconds } = pod.metadata
  if (deletionGracePeriodSeconds !== undefined) return deletionGracePeriodSeconds
  const { terminationGracePeriodSeconds } = pod.spec
  if (terminationGracePeriodSeconds === undefined) return minGraceSeconds
  const probe =
    reason === "livenessProbe"
      ? container.livenessProbe
      : reason === "startupProbe"
        ? container.startupProbe
        : undefined
  return probe?.terminationGracePeriodSeconds ?? terminationGracePeriodSeconds
}
