/** What a pod's node means for it. Mirrors: plugin/pkg/admission/{podtopologylabels,podresize} */
import { node, pod } from "@knarr/api"
import type { Node, Pod } from "@knarr/api"
import { type KubeObject, sameResource } from "@knarr/apimachinery"
import { amountOf, podRequests } from "@knarr/pod-rules"
import type { AdmissionPlugin } from "../contract.ts"
import { isResource } from "./is-resource.ts"
import { refusal } from "./refuse.ts"

const topologyLabels = ["topology.kubernetes.io/zone", "topology.kubernetes.io/region"]

interface Binding extends KubeObject {
  target?: { kind?: string; name?: string }
}

/** A pod that is bound gets the zone and the region of its node. */
export const podTopologyLabels: AdmissionPlugin = {
  name: "PodTopologyLabels",
  enabledByDefault: true,
  create: ({ get }) => ({
    handles: (a) =>
      a.operation === "CREATE" &&
      sameResource(a.kind, pod) &&
      (a.subresource === "" || a.subresource === "binding"),
    admit(a) {
      const object = a.object as Pod & Binding
      const { target } = object
      const isBinding = a.subresource === "binding"
      if (isBinding && target?.kind !== "Node") return
      const name = isBinding ? target?.name : object.spec.nodeName
      const labels = name ? get(node, { name })?.metadata.labels : undefined
      if (!labels) return
      for (const key of topologyLabels)
        if (labels[key] !== undefined)
          object.metadata.labels = { ...object.metadata.labels, [key]: labels[key] }
    },
  }),
}

const osLabel = "kubernetes.io/os"

/** A pod is not resized beyond what its node has. */
export const podResizeValidator: AdmissionPlugin = {
  name: "PodResizeValidator",
  enabledByDefault: true,
  create: ({ get }) => ({
    handles: (a) => a.operation === "UPDATE" && isResource(a, "", "pods", "resize"),
    validate(a) {
      const object = a.object as Pod
      const old = a.oldObject as Pod
      const name = object.spec.nodeName
      if (!name || object.metadata.generation === old.metadata.generation) return
      const found = get(node, { name })
      if (!found) throw refusal(a, `node ${JSON.stringify(name)} not found`)
      const os = found.metadata.labels?.[osLabel]
      if (os !== undefined && os !== "linux")
        throw refusal(
          a,
          `pod resize is only supported on linux nodes, node ${JSON.stringify(name)} is ${JSON.stringify(os)}`,
          [{ reason: "UnsupportedPlatform" }],
        )
      const lacking = lackingResources(object, found)
      if (lacking !== "")
        throw refusal(a, `node didn't have enough allocatable resources: ${lacking}`, [
          { reason: "NodeCapacity" },
        ])
    },
  }),
}

function lackingResources(object: Readonly<Pod>, { status }: Readonly<Node>): string {
  const requests = podRequests(object)
  return ["cpu", "memory"]
    .flatMap((name) => {
      const requested = requests[name] ?? 0
      const text = status?.allocatable?.[name]
      const allocatable = text === undefined ? 0 : amountOf(name, text)
      return requested > allocatable ? [`${name}, requested: ${requested}, allocatable: ${allocatable}`] : []
    })
    .join("; ")
}
