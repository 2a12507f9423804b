/** What the scheduler writes into a pod's status. Mirrors: pkg/scheduler/util/utils.go PatchPodStatus, schedule_one.go updatePod */
import type { Env } from "@knarr/base"
import { pod as podKind, type Pod } from "@knarr/api"
import { findCondition, formatTime, isConflict, isNotFound } from "@knarr/apimachinery"
import type { Client } from "@knarr/client"

/** No node can take the pod, or deciding failed. */
export type Unscheduled = "Unschedulable" | "SchedulerError"

export interface StatusReport {
  /** Why the pod has no node. Default: the condition stays. */
  readonly condition?: { readonly reason: Unscheduled; readonly message: string }
  /** Empty takes a nomination back. Default: it stays. */
  readonly nominatedNode?: string | undefined
}

/** Writes what is not there yet; a failure is logged, for the next attempt says it again. */
export async function reportStatus(options: {
  client: Client
  env: Env
  pod: Readonly<Pod>
  report: StatusReport
  signal: AbortSignal
}): Promise<void> {
  const { client, env, pod, report, signal } = options
  const status: Record<string, unknown> = {}
  const condition = report.condition && conditionOf(pod, report.condition, env.clock.now())
  if (condition) status["conditions"] = [condition]
  const { nominatedNode } = report
  if (nominatedNode !== undefined && nominatedNode !== (pod.status.nominatedNodeName ?? ""))
    status["nominatedNodeName"] = nominatedNode || null
  if (Object.keys(status).length === 0) return
  try {
    await client.patch(podKind, pod.metadata, "strategic", { status }, { subresource: "status", signal })
  } catch (thrown) {
    if (signal.aborted || isNotFound(thrown) || isConflict(thrown)) return
    env.log.warn("Cannot report why the pod has no node", {
      pod: `${pod.metadata.namespace}/${pod.metadata.name}`,
      err: thrown,
    })
  }
}

function conditionOf(
  pod: Readonly<Pod>,
  { reason, message }: { reason: Unscheduled; message: string },
  nowMs: number,
): object | undefined {
  const current = findCondition(pod.status.conditions, "PodScheduled")
  if (current?.status === "False" && current.reason === reason && current.message === message)
    return undefined
  const now = formatTime(nowMs)
  return {
    type: "PodScheduled",
    status: "False",
    reason,
    message,
    observedGeneration: pod.metadata.generation,
    lastProbeTime: null,
    lastTransitionTime: current?.status === "False" ? current.lastTransitionTime : now,
  }
}
