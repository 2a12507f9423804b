/** Deployments: revisions of a ReplicaSet, rolled out. Mirrors: pkg/controller/deployment/deployment_controller.go */
import { controllerOf, deepClone, refOf } from "@knarr/apimachinery"
import { deployment, pod, replicaSet, type Deployment, type Pod, type ReplicaSet } from "@knarr/api"
import {
  allow,
  claimObjects,
  defineController,
  recordEvents,
  refersToKind,
  type Controller,
} from "@knarr/controller-kit"
import { possibleOwners } from "../workload/adoption.ts"
import { isEmptySelector, matcher } from "../workload/selector.ts"
import { isRolling } from "./arithmetic.ts"
import { pauseCondition, withCondition } from "./conditions.ts"
import { writeConditions, type Sync } from "./revisions.ts"
import { isScalingEvent, recreate, rollOut, syncSizes, syncStatusOnly } from "./rollout.ts"

export const deploymentController: Controller = defineController<Deployment>({
  name: "deployment-controller",
  aliases: ["deployment"],
  serviceAccount: "deployment-controller",
  rbac: [
    allow("apps,extensions", "deployments", "get list update watch"),
    allow("apps,extensions", "deployments/status", "update"),
    allow("apps,extensions", "deployments/finalizers", "update"),
    allow("apps,extensions", "replicasets", "create delete get list patch update watch"),
    allow("", "pods", "get list update watch"),
    recordEvents,
  ],
  for: deployment,
  owns: [replicaSet],
  watches: [
    {
      kind: replicaSet,
      // An orphan may belong to any deployment that selects it.
      map: (obj: ReplicaSet, cache) =>
        possibleOwners(
          obj,
          cache,
          deployment,
          (d) => !isEmptySelector(d.spec.selector) && matcher(d.spec.selector)(obj.metadata.labels),
        ),
    },
    {
      kind: pod,
      // Recreate waits for the last pod of the old revision to go.
      map(obj: Pod, cache) {
        const owner = controllerOf(obj)
        if (!owner || !refersToKind(owner, replicaSet)) return []
        const set = cache.get(replicaSet, { namespace: obj.metadata.namespace, name: owner.name })
        const top = set && set.metadata.uid === owner.uid ? controllerOf(set) : undefined
        if (!top || !refersToKind(top, deployment)) return []
        const d = cache.get(deployment, { namespace: obj.metadata.namespace, name: top.name })
        return d && !isRolling(d) ? [refOf(d)] : []
      },
    },
  ],
  async reconcile(ref, ctx) {
    const d = ctx.cache.get(deployment, ref)
    if (!d) return
    if (isEmptySelector(d.spec.selector)) {
      ctx.recorder.event(
        d,
        "Warning",
        "SelectingAll",
        "This deployment is selecting all pods. A non-empty selector is required.",
      )
      if ((d.status?.observedGeneration ?? 0) < (d.metadata.generation ?? 0)) {
        const next = deepClone(d)
        next.status = { ...next.status, observedGeneration: d.metadata.generation }
        await ctx.client.update(deployment, next, { subresource: "status", signal: ctx.signal })
      }
      return
    }
    const matches = matcher(d.spec.selector)
    const sets = await claimObjects({
      client: ctx.client,
      owner: d,
      ownerKind: deployment,
      kind: replicaSet,
      candidates: ctx.cache.list(replicaSet, { namespace: ref.namespace }),
      matches: (set) => matches(set.metadata.labels),
      signal: ctx.signal,
    })
    const sync: Sync = { d, ctx, sets }
    if (d.metadata.deletionTimestamp) return syncStatusOnly(sync)
    const pause = pauseCondition(d, ctx.clock.now())
    if (pause) await writeConditions(sync, withCondition(d.status?.conditions ?? [], pause))
    if (d.spec.paused || isScalingEvent(sync)) return syncSizes(sync)
    return isRolling(d) ? rollOut(sync) : recreate(sync)
  },
})
