/** Evicts pods from nodes with NoExecute taints. Mirrors: pkg/controller/tainteviction/taint_eviction.go */
import { node, pod, type Node, type Pod } from "@knarr/api"
import { formatTime, isConflict, isNotFound, refKey, refOf } from "@knarr/apimachinery"
import { allow, defineController, perRun, recordEvents, type Controller } from "@knarr/controller-kit"
import { podNodeIndex } from "../workload/pod-indexes.ts"
import { stayMs } from "./eviction-time.ts"

interface Planned {
  readonly uid: string
  readonly sinceMs: number
}

const plannedOf = perRun(() => new Map<string, Planned>())

export const taintEvictionController: Controller = defineController<Pod>({
  name: "taint-eviction-controller",
  queueName: "noexec_taint_pod",
  serviceAccount: "node-controller",
  rbac: [
    allow("", "nodes", "get list watch"),
    allow("", "pods", "get list watch delete"),
    allow("", "pods/status", "patch"),
    recordEvents,
  ],
  for: pod,
  watches: [
    {
      kind: node,
      map: ({ metadata }: Node, cache) => cache.byIndex(pod, podNodeIndex.name, metadata.name).map(refOf),
    },
  ],
  indexes: [podNodeIndex],
  workers: 8,
  async reconcile(ref, ctx) {
    const { cache, client, clock, recorder, signal } = ctx
    const planned = plannedOf(ctx)
    const key = refKey(ref)
    const victim = cache.get(pod, ref)
    if (!victim?.spec.nodeName || victim.metadata.deletionTimestamp) {
      planned.delete(key)
      return undefined
    }
    const nowMs = clock.now()
    const taints = cache.get(node, { name: victim.spec.nodeName })?.spec?.taints ?? []
    const stay = stayMs(victim, taints)
    const before = planned.get(key)
    if (stay === Infinity) {
      if (planned.delete(key) && before?.uid === victim.metadata.uid) {
        recorder.event(victim, "Normal", "TaintManagerEviction", `Cancelling deletion of Pod ${key}`)
      }
      return undefined
    }
    const sinceMs = before?.uid === victim.metadata.uid ? before.sinceMs : nowMs
    if (sinceMs + stay > nowMs) {
      planned.set(key, { uid: victim.metadata.uid, sinceMs })
      return { afterMs: sinceMs + stay - nowMs }
    }
    recorder.event(victim, "Normal", "TaintManagerEviction", `Marking for deletion Pod ${key}`)
    const { uid } = victim.metadata
    const condition = {
      type: "DisruptionTarget",
      status: "True",
      reason: "DeletionByTaintManager",
      message: "Taint manager: deleting due to NoExecute taint",
      lastTransitionTime: formatTime(nowMs),
    }
    try {
      const body = { metadata: { uid }, status: { conditions: [condition] } }
      await client.patch(pod, ref, "strategic", body, { subresource: "status", signal })
      await client.delete(pod, ref, { preconditions: { uid }, signal })
    } catch (thrown) {
      if (!isNotFound(thrown) && !isConflict(thrown)) throw thrown
    }
    planned.delete(key)
    return undefined
  },
})
