/** ReplicationControllers, the older form of ReplicaSets. Mirrors: pkg/controller/replication */
import { pod, replicationController, type Pod, type ReplicationController } from "@knarr/api"
import { allow, defineController, recordEvents, type Controller } from "@knarr/controller-kit"
import { replicaController } from "../replicaset/replica-controller.ts"
import { possibleOwners } from "../workload/adoption.ts"
import { orphanPodIndex } from "../workload/pod-indexes.ts"
import { setMatcher, type Matches } from "../workload/selector.ts"

const matches = (owner: ReplicationController): Matches => setMatcher(owner.spec.selector)

export const replicationControllerController: Controller = defineController<ReplicationController>({
  name: "replicationcontroller-controller",
  queueName: "replicationmanager",
  aliases: ["replicationcontroller"],
  serviceAccount: "replication-controller",
  rbac: [
    allow("", "replicationcontrollers", "get list update watch"),
    allow("", "replicationcontrollers/status", "update"),
    allow("", "replicationcontrollers/finalizers", "update"),
    allow("", "pods", "create delete list patch watch"),
    recordEvents,
  ],
  for: replicationController,
  owns: [pod],
  watches: [
    {
      kind: pod,
      map: (obj: Pod, cache) =>
        possibleOwners(obj, cache, replicationController, (owner) => matches(owner)(obj.metadata.labels)),
    },
  ],
  indexes: [orphanPodIndex],
  ...replicaController<ReplicationController>({
    kind: replicationController,
    matches,
    related: (owner, cache) => cache.list(pod, { ownedBy: owner }),
    countTerminating: false,
  }),
})
