/**
 * Drives the victims from a node, beside the attempts of other pods.
 * Mirrors: pkg/scheduler/framework/preemption/executor.go
 */
import { pod as podKind, type Pod } from "@knarr/api"
import { findCondition, formatTime, isConflict, isNotFound } from "@knarr/apimachinery"
import type { Handle } from "../framework/plugin.ts"
import { priorityOf } from "../cache/node-info.ts"
import type { Candidate } from "./candidate.ts"

const disruptionTarget = "DisruptionTarget"
const reason = "PreemptionByScheduler"

/** Whether it ends because another pod takes its place. */
export function isGivingWay({ metadata, status }: Readonly<Pod>): boolean {
  if (metadata.deletionTimestamp === undefined) return false
  const condition = findCondition(status.conditions, disruptionTarget)
  return condition?.status === "True" && condition.reason === reason
}

export class Evictor {
  readonly #handle: Handle
  readonly #plugin: string
  /** By the UID of the pod that takes the place: whether it was tried meanwhile, and has to be tried again. */
  readonly #running = new Map<string, { asked: boolean }>()

  constructor(handle: Handle, plugin: string) {
    this.#handle = handle
    this.#plugin = plugin
  }

  /** Whether victims of this pod are just being told; it is tried again when they are. */
  isRunning({ metadata }: Readonly<Pod>): boolean {
    const run = this.#running.get(metadata.uid)
    if (run) run.asked = true
    return run !== undefined
  }

  /** Begins with it. A failure is logged, and the pod tried again. */
  start(pod: Readonly<Pod>, candidate: Candidate): void {
    const { namespace, name, uid } = pod.metadata
    const victims = candidate.victims.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    if (victims.length === 0) return
    const run = { asked: false }
    this.#running.set(uid, run)
    this.#handle.scope.run(
      `preemption for ${namespace}/${name}`,
      async (signal) => {
        let isThrough = false
        try {
          await Promise.all([
            ...this.#lessImportant(pod, candidate.nodeName).map((other) => this.#withdraw(other, signal)),
            ...victims.map((victim) => this.#evict(pod, victim, candidate.nodeName, signal)),
          ])
          isThrough = true
        } finally {
          this.#running.delete(uid)
          if (!isThrough || run.asked) this.#handle.activate([pod])
        }
      },
      { contained: true },
    )
  }

  /** Pods that were promised the node and may not fit any more. */
  #lessImportant(pod: Readonly<Pod>, nodeName: string): Readonly<Pod>[] {
    return [...this.#handle.nominatedPods(nodeName)]
      .map((info) => info.pod)
      .filter((other) => priorityOf(other) < priorityOf(pod))
  }

  async #withdraw(other: Readonly<Pod>, signal: AbortSignal): Promise<void> {
    await this.#unlessGone(() =>
      this.#handle.client.patch(
        podKind,
        other.metadata,
        "strategic",
        { status: { nominatedNodeName: null } },
        { subresource: "status", signal },
      ),
    )
  }

  async #evict(
    pod: Readonly<Pod>,
    victim: Readonly<Pod>,
    nodeName: string,
    signal: AbortSignal,
  ): Promise<void> {
    const { waitingPods, client, recorder } = this.#handle
    const message = `Preempted by pod ${pod.metadata.uid} on node ${nodeName}`
    const { uid } = victim.metadata
    if (waitingPods.get(uid)?.preempt(this.#plugin, "preempted"))
      return recorder.event(victim, "Normal", "Preempted", `${message} (in kube-scheduler memory).`)
    const isHere = await this.#unlessGone(async () => {
      await client.patch(podKind, victim.metadata, "strategic", this.#marked(pod, victim), {
        subresource: "status",
        signal,
      })
      // Another pod may have its name by now.
      await client.delete(podKind, victim.metadata, { preconditions: { uid }, signal })
    })
    if (isHere) recorder.event(victim, "Normal", "Preempted", message)
  }

  #marked(pod: Readonly<Pod>, victim: Readonly<Pod>): object {
    const condition = {
      ...{ type: disruptionTarget, status: "True", reason },
      observedGeneration: victim.metadata.generation,
      message: `${pod.spec.schedulerName}: preempting to accommodate a higher priority pod`,
      lastTransitionTime: formatTime(this.#handle.env.clock.now()),
    }
    return { metadata: { uid: victim.metadata.uid }, status: { conditions: [condition] } }
  }

  async #unlessGone(write: () => Promise<unknown>): Promise<boolean> {
    try {
      await write()
      return true
    } catch (thrown) {
      if (isNotFound(thrown) || isConflict(thrown)) return false
      throw thrown
    }
  }
}
