/** Keeps a claim until no pod uses it any more. Mirrors: pkg/controller/volume/pvcprotection */
import { persistentVolumeClaim, pod, type Pod } from "@knarr/api"
import { parseKey } from "@knarr/apimachinery"
import { defineController, type Controller } from "@knarr/controller-kit"
import { podClaimIndex } from "../workload/pod-indexes.ts"
import { withoutFinalizer } from "./finalizer.ts"

const finalizer = "kubernetes.io/pvc-protection"

export const pvcProtectionController: Controller = defineController({
  name: "persistentvolumeclaim-protection-controller",
  queueName: "pvcprotection",
  aliases: ["pvc-protection"],
  serviceAccount: "pvc-protection-controller",
  rbac: [
    { apiGroups: [""], resources: ["persistentvolumeclaims"], verbs: ["get", "list", "update", "watch"] },
    { apiGroups: [""], resources: ["pods"], verbs: ["get", "list", "watch"] },
  ],
  for: persistentVolumeClaim,
  watches: [
    {
      kind: pod,
      map: (one: Pod) => podClaimIndex.fn(one).map(parseKey),
    },
  ],
  indexes: [podClaimIndex],
  async reconcile(ref, { cache, client, signal }) {
    const claim = cache.get(persistentVolumeClaim, ref)
    if (!claim?.metadata.deletionTimestamp || !claim.metadata.finalizers?.includes(finalizer)) return
    const users = cache.byIndex(pod, podClaimIndex.name, `${ref.namespace}/${ref.name}`)
    // A pod without a node has not mounted anything, and one that has ended no longer does.
    if (
      users.some(
        (one) => one.spec.nodeName && one.status.phase !== "Succeeded" && one.status.phase !== "Failed",
      )
    )
      return
    await client.update(persistentVolumeClaim, withoutFinalizer(claim, finalizer), { signal })
  },
})
