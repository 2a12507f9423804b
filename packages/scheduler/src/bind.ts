/** What the scheduler writes. Mirrors: plugins/defaultbinder, pkg/scheduler/util/utils.go PatchPodStatus */
import type { Env } from "@knarr/base"
import { pod as podKind, type Pod } from "@knarr/api"
import { findCondition, isConflict, isNotFound } from "@knarr/apimachinery"
import type { Client } from "@knarr/client"

/** Assigns the pod. Rejects when the API refuses. */
export async function bindPod(options: {
  client: Client
  pod: Readonly<Pod>
  nodeName: string
  signal: AbortSignal
}): Promise<void> {
  const { client, pod, nodeName, signal } = options
  const { namespace, name, uid } = pod.metadata
  const binding = {
    apiVersion: "v1",
    kind: "Binding",
    metadata: { namespace, name, uid },
    target: { kind: "Node", name: nodeName },
  }
  await client.createSubresource(podKind, { namespace, name }, "binding", binding, { signal })
}

/** No node can take the pod, or deciding failed. */
export type Unscheduled = "Unschedulable" | "SchedulerError"

/** Says in the pod's conditions why it has no node; a failure is logged, for the next try says it again. */
export async function reportUnscheduled(options: {
  client: Client
  env: Env
  pod: Readonly<Pod>
  reason: Unscheduled
  message: string
  signal: AbortSignal
}): Promise<void> {
  const { client, env, pod, reason, message, signal } = options
  const current = findCondition(pod.status.conditions, "PodScheduled")
  if (current?.status === "False" && current.reason === reason && current.message === message) return
  const now = new Date(env.clock.now()).toISOString().replace(/\.\d+Z$/, "Z")
  const condition = {
    type: "PodScheduled",
    status: "False",
    reason,
    message,
    observedGeneration: pod.metadata.generation,
    lastProbeTime: null,
    lastTransitionTime: current?.status === "False" ? current.lastTransitionTime : now,
  }
  try {
    await client.patch(
      podKind,
      pod.metadata,
      "strategic",
      { status: { conditions: [condition] } },
      { subresource: "status", signal },
    )
  } catch (thrown) {
    if (signal.aborted || isNotFound(thrown) || isConflict(thrown)) return
    env.log.warn("Cannot report why the pod has no node", {
      pod: `${pod.metadata.namespace}/${pod.metadata.name}`,
      err: thrown,
    })
  }
}
