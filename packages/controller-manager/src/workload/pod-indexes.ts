/** Indexes on pods that several controllers share. */
import { controllerOf } from "@knarr/apimachinery"
import { pod, type Pod } from "@knarr/api"
import { podVolumeClaims } from "@knarr/pod-rules"

/** Pods without a controller, by namespace. */
export const orphanPodIndex = {
  kind: pod,
  name: "orphans",
  fn: (obj: Pod): readonly string[] => (controllerOf(obj) ? [] : [obj.metadata.namespace ?? ""]),
}

/** Pods by the node that they are bound to. */
export const podNodeIndex = {
  kind: pod,
  name: "nodeName",
  fn: (obj: Pod): readonly string[] => (obj.spec.nodeName ? [obj.spec.nodeName] : []),
}

/** Pods by the claims that they use: `<namespace>/<claim>`. */
export const podClaimIndex = {
  kind: pod,
  name: "claims",
  fn: (obj: Pod): readonly string[] =>
    [...podVolumeClaims(obj)].map((name) => `${obj.metadata.namespace}/${name}`),
}
