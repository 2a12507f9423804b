/** Deletes pods that nobody else can: of lost nodes, never scheduled, long ended. Mirrors: pkg/controller/podgc */
import { node, pod, type Node, type Pod } from "@knarr/api"
import { formatTime, isNotFound, refOf } from "@knarr/apimachinery"
import type { Ref } from "@knarr/client"
import {
  allow,
  defineController,
  perRun,
  type Controller,
  type ReconcileContext,
} from "@knarr/controller-kit"
import { podNodeIndex } from "../workload/pod-indexes.ts"
import { isPodTerminal } from "../workload/pod-state.ts"

/** So long a node must have been missing before its pods are taken for lost. */
const quarantineMs = 40_000
const outOfServiceTaint = "node.kubernetes.io/out-of-service"
const terminalIndex = {
  kind: pod,
  name: "terminal",
  fn: (obj: Pod): readonly string[] => (isPodTerminal(obj) ? ["yes"] : []),
}

export interface PodGCOptions {
  /** Pods that have ended beyond this number are deleted, oldest first; 0 keeps all. Default 12,500. */
  readonly terminatedPodThreshold?: number
}

export function createPodGCController(options: PodGCOptions = {}): Controller {
  const threshold = options.terminatedPodThreshold ?? 12_500
  const missingSinceOf = perRun(() => new Map<string, number>())
  return defineController<Pod>({
    name: "pod-garbage-collector-controller",
    aliases: ["podgc"],
    queueName: "orphaned_pods_nodes",
    serviceAccount: "pod-garbage-collector",
    rbac: [
      allow("", "pods", "list watch delete"),
      allow("", "nodes", "get list watch"),
      allow("", "pods/status", "patch"),
    ],
    for: pod,
    watches: [
      {
        kind: node,
        map: ({ metadata }: Node, cache) => cache.byIndex(pod, podNodeIndex.name, metadata.name).map(refOf),
      },
    ],
    indexes: [podNodeIndex, terminalIndex],
    async reconcile(ref, ctx) {
      const { cache, clock } = ctx
      const missingSince = missingSinceOf(ctx)
      const one = cache.get(pod, ref)
      if (!one) return undefined
      const { nodeName } = one.spec
      if (!nodeName) {
        if (one.metadata.deletionTimestamp) await failAndDelete(one, undefined, ctx)
        return undefined
      }
      const host = cache.get(node, { name: nodeName })
      if (host) missingSince.delete(nodeName)
      else {
        const since = missingSince.get(nodeName) ?? clock.now()
        missingSince.set(nodeName, since)
        const leftMs = since + quarantineMs - clock.now()
        if (leftMs > 0) return { afterMs: leftMs }
        if (await nodeExists(nodeName, ctx)) return { afterMs: quarantineMs }
        await failAndDelete(one, "PodGC: node no longer exists", ctx)
        return undefined
      }
      if (one.metadata.deletionTimestamp && isOutOfService(host)) {
        await failAndDelete(one, undefined, ctx)
        return undefined
      }
      if (threshold > 0 && isPodTerminal(one)) await trim(ctx, threshold)
      return undefined
    },
  })
}

function isOutOfService(host: Node): boolean {
  const ready = host.status?.conditions?.find((condition) => condition.type === "Ready")
  return (
    ready?.status !== "True" && (host.spec?.taints?.some((taint) => taint.key === outOfServiceTaint) ?? false)
  )
}

async function nodeExists(name: string, { client, signal }: ReconcileContext): Promise<boolean> {
  try {
    await client.get(node, { name }, { signal })
    return true
  } catch (thrown) {
    if (isNotFound(thrown)) return false
    throw thrown
  }
}

async function trim(ctx: ReconcileContext, threshold: number): Promise<void> {
  const ended = ctx.cache.byIndex(pod, terminalIndex.name, "yes")
  if (ended.length <= threshold) return
  const sorted = [...ended].sort(
    (a, b) =>
      Number(b.status?.reason === "Evicted") - Number(a.status?.reason === "Evicted") ||
      compare(a.metadata.creationTimestamp, b.metadata.creationTimestamp) ||
      compare(a.metadata.name, b.metadata.name),
  )
  for (const one of sorted.slice(0, ended.length - threshold)) await failAndDelete(one, undefined, ctx)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Marks a pod that has not ended as failed (nobody will), then deletes it at once. */
async function failAndDelete(one: Pod, disruption: string | undefined, ctx: ReconcileContext): Promise<void> {
  const { client, clock, signal } = ctx
  const ref: Ref = refOf(one)
  const { uid } = one.metadata
  try {
    if (!isPodTerminal(one)) {
      const status: Record<string, unknown> = { phase: "Failed" }
      if (disruption) {
        status["conditions"] = [
          {
            type: "DisruptionTarget",
            status: "True",
            reason: "DeletionByPodGC",
            message: disruption,
            lastTransitionTime: formatTime(clock.now()),
          },
        ]
      }
      await client.patch(
        pod,
        ref,
        "strategic",
        { metadata: { uid }, status },
        { subresource: "status", signal },
      )
    }
    await client.delete(pod, ref, { gracePeriodSeconds: 0, preconditions: { uid }, signal })
  } catch (thrown) {
    if (!isNotFound(thrown)) throw thrown
  }
}
