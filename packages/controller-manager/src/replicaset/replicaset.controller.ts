/** ReplicaSets. Mirrors: pkg/controller/replicaset */
import { controllerOf } from "@knarr/apimachinery"
import { pod, replicaSet, type Pod, type ReplicaSet } from "@knarr/api"
import { allow, defineController, recordEvents, type Cache, type Controller } from "@knarr/controller-kit"
import { ownerIndex } from "@knarr/client"
import { possibleOwners } from "../workload/adoption.ts"
import { orphanPodIndex } from "../workload/pod-indexes.ts"
import { matcher, type Matches } from "../workload/selector.ts"
import { replicaController } from "./replica-controller.ts"

const matches = (owner: ReplicaSet): Matches => matcher(owner.spec.selector)

/** The pods of all ReplicaSets with the same controller: those of a deployment's other revisions count as well. */
function related(owner: ReplicaSet, cache: Cache): readonly Pod[] {
  const controller = controllerOf(owner)
  if (!controller) return cache.list(pod, { ownedBy: owner })
  return cache
    .byIndex(replicaSet, ownerIndex, controller.uid)
    .flatMap((sibling) => cache.list(pod, { ownedBy: sibling }))
}

export const replicaSetController: Controller = defineController<ReplicaSet>({
  name: "replicaset-controller",
  aliases: ["replicaset"],
  serviceAccount: "replicaset-controller",
  rbac: [
    allow("apps,extensions", "replicasets", "get list update watch"),
    allow("apps,extensions", "replicasets/status", "update"),
    allow("apps,extensions", "replicasets/finalizers", "update"),
    allow("", "pods", "create delete list patch watch"),
    recordEvents,
  ],
  for: replicaSet,
  owns: [pod],
  watches: [
    {
      kind: pod,
      map: (obj: Pod, cache) =>
        possibleOwners(obj, cache, replicaSet, (owner) => matches(owner)(obj.metadata.labels)),
    },
  ],
  indexes: [orphanPodIndex],
  ...replicaController<ReplicaSet>({ kind: replicaSet, matches, related, countTerminating: true }),
})
