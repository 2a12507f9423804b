/**
 * Whether the node can take a pod that was bound to it.
 * Mirrors: pkg/kubelet/lifecycle/predicate.go
 */
import type { Refusal } from "./refusal.ts"
import { isExtendedResource, type Pod } from "@knarr/api"
import {
  addAmounts,
  amountsOf,
  hostPortsConflict,
  hostPortsOf,
  matchesRequiredNodeAffinity,
  podRequests,
  tolerates,
  type Amounts,
} from "@knarr/pod-rules"
import { isStaticPod } from "./labels.ts"
import type { NodeFeatures } from "./node-features.ts"
import type { NodeView } from "./settings.ts"
import { forbiddenSysctl } from "./sysctls.ts"
import { unsupportedAppArmor, unsupportedGroupsPolicy, unsupportedSELinux } from "./unsupported.ts"

/** Undefined: the pod may run beside `others`. */
export function admitPod(
  pod: Readonly<Pod>,
  nodeName: string,
  node: NodeView | undefined,
  others: readonly Readonly<Pod>[],
  features: NodeFeatures,
): Refusal | undefined {
  return (
    beyondReport(pod) ??
    forbiddenSysctl(pod) ??
    wrongOs(pod) ??
    unsupportedGroupsPolicy(pod, features) ??
    (node && misfit(pod, nodeName, node, others)) ??
    unsupportedAppArmor(pod, features) ??
    unsupportedSELinux(pod, features)
  )
}

/** What a container's status takes beside its names, in bytes; most take less. */
const statusBytes = 1024
/** As much as the API takes of one request. */
const requestBytes = 3 << 20

/** Upstream's kubelet takes such a pod and fails to report it for as long as it is there. */
function beyondReport({ spec }: Readonly<Pod>): Refusal | undefined {
  const containers = [...(spec.initContainers ?? []), ...spec.containers]
  let bytes = 0
  for (const { name, image = "" } of containers) bytes += statusBytes + name.length + 2 * image.length
  if (bytes <= requestBytes) return undefined
  return {
    reason: "PodTooLarge",
    message: `the status of its ${containers.length} containers would be larger than a request to the API may be (${requestBytes} bytes)`,
  }
}

function wrongOs(pod: Readonly<Pod>): Refusal | undefined {
  const osLabel = pod.metadata.labels?.["kubernetes.io/os"]
  if (osLabel !== undefined && osLabel !== "linux")
    return {
      reason: "PodOSSelectorNodeLabelDoesNotMatch",
      message: "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
    }
  if (pod.spec.os && pod.spec.os.name !== "linux")
    return {
      reason: "PodOSNotSupported",
      message: "Failed to admit pod as the OS field doesn't match node OS",
    }
  return undefined
}

function misfit(
  pod: Readonly<Pod>,
  nodeName: string,
  node: NodeView,
  others: readonly Readonly<Pod>[],
): Refusal | undefined {
  const short = findShortage(pod, node, others)
  if (short) return short
  if (!matchesRequiredNodeAffinity(pod.spec, { metadata: { name: nodeName, labels: { ...node.labels } } }))
    return predicate("NodeAffinity", "node(s) didn't match Pod's node affinity/selector")
  const ports = hostPortsOf(pod.spec)
  if (
    others.some((other) =>
      hostPortsOf(other.spec).some((use) => ports.some((own) => hostPortsConflict(own, use))),
    )
  )
    return predicate("NodePorts", "node(s) didn't have free ports for the requested pod ports")
  const untolerated = node.taints.some(
    (taint) =>
      taint.effect === "NoExecute" &&
      !pod.spec.tolerations?.some((toleration) => tolerates(toleration, taint)),
  )
  if (untolerated && !isStaticPod(pod))
    return predicate("TaintToleration", "node(s) had taints that the pod didn't tolerate")
  return undefined
}

function predicate(reason: string, why: string): Refusal {
  return { reason, message: `Predicate ${reason} failed: ${why}` }
}

/** Of a pod that is here already: nobody else is refused for what cannot be read of it. */
function requestsOf(pod: Readonly<Pod>): Amounts {
  try {
    return podRequests(pod)
  } catch {
    return {}
  }
}

/** What the node has not enough of for the pod beside the others. */
export function findShortage(
  pod: Readonly<Pod>,
  node: NodeView,
  others: readonly Readonly<Pod>[],
): Refusal | undefined {
  const allocatable = amountsOf(node.allocatable)
  const used: Amounts = {}
  for (const other of others) addAmounts(used, requestsOf(other))
  const requests: Amounts = { ...podRequests(pod), pods: 1 }
  used["pods"] = others.length
  for (const name of [
    "pods",
    ...Object.keys(requests)
      .filter((key) => key !== "pods")
      .sort(),
  ]) {
    const requested = requests[name]!
    // An extended resource that the node does not have at all may be the whole cluster's, or come later.
    const capacity = allocatable[name] ?? (isExtendedResource(name) ? undefined : 0)
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
