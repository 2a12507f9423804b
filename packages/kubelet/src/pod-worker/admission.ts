/**
 * Whether the node can take a pod that was bound to it.
 * Mirrors: pkg/kubelet/lifecycle/predicate.go
 */
import type { Pod } from "@knarr/api"
import {
  addAmounts,
  amountsOf,
  hostPortsConflict,
  hostPortsOf,
  matchesRequiredNodeAffinity,
  podRequests,
  type Amounts,
} from "@knarr/pod-rules"
import type { NodeView } from "./settings.ts"

export interface Refusal {
  readonly reason: string
  readonly message: string
}

/** Undefined: the pod may run beside `others`. */
export function admitPod(
  pod: Readonly<Pod>,
  nodeName: string,
  node: NodeView | undefined,
  others: readonly Readonly<Pod>[],
): Refusal | undefined {
  const osLabel = node?.labels["kubernetes.io/os"]
  if (pod.spec.os && pod.spec.os.name !== "linux")
    return {
      reason: "PodOSNotSupported",
      message: "Failed to admit pod as the OS field doesn't match node OS",
    }
  const wantedOs = pod.spec.nodeSelector?.["kubernetes.io/os"]
  if (wantedOs !== undefined && osLabel !== undefined && wantedOs !== osLabel)
    return {
      reason: "PodOSSelectorNodeLabelDoesNotMatch",
      message: "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
    }
  if (!node) return undefined
  const short = findShortage(pod, node, others)
  if (short) return short
  if (!matchesRequiredNodeAffinity(pod.spec, { metadata: { name: nodeName, labels: { ...node.labels } } }))
    return { reason: "NodeAffinity", message: "Predicate NodeAffinity failed" }
  const ports = hostPortsOf(pod.spec)
  if (
    others.some((other) =>
      hostPortsOf(other.spec).some((use) => ports.some((own) => hostPortsConflict(own, use))),
    )
  )
    return { reason: "NodePorts", message: "Predicate NodePorts failed" }
  return undefined
}

function findShortage(
  pod: Readonly<Pod>,
  node: NodeView,
  others: readonly Readonly<Pod>[],
): Refusal | undefined {
  const allocatable = amountsOf(node.allocatable)
  const used: Amounts = {}
  for (const other of others) addAmounts(used, podRequests(other))
  const requests: Amounts = { ...podRequests(pod), pods: 1 }
  used["pods"] = others.length
  for (const name of [
    "pods",
    ...Object.keys(requests)
      .filter((key) => key !== "pods")
      .sort(),
  ]) {
    const requested = requests[name]!
    // What the node does not have at all is the scheduler's affair, or a device that comes later.
    const capacity = allocatable[name]
    if (requested === 0 || capacity === undefined) continue
    const taken = used[name] ?? 0
    if (taken + requested <= capacity) continue
    return {
      reason: `OutOf${name}`,
      message: `Node didn't have enough resource: ${name}, requested: ${requested}, used: ${taken}, capacity: ${capacity}`,
    }
  }
  return undefined
}
