/** A new node takes no pods before it says that it is ready. Mirrors: plugin/pkg/admission/nodetaint */
import { sameResource } from "@knarr/apimachinery"
import { node } from "@knarr/api"
import type { Node } from "@knarr/api"
import type { AdmissionPlugin } from "../contract.ts"

const notReady = { key: "node.kubernetes.io/not-ready", effect: "NoSchedule" } as const

export const taintNodesByCondition: AdmissionPlugin = {
  name: "TaintNodesByCondition",
  enabledByDefault: true,
  create: () => ({
    handles: (a) => a.operation === "CREATE" && sameResource(a.kind, node) && a.subresource === "",
    admit(a) {
      const obj = a.object as Node
      const taints = obj.spec.taints ?? []
      if (taints.some((taint) => taint.key === notReady.key && taint.effect === notReady.effect)) return
      obj.spec.taints = [...taints, { ...notReady }]
    },
  }),
}
