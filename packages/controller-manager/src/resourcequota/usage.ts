/** What a quota limits and how much of it is used. Pure. Mirrors: pkg/quota/v1/evaluator/core */
import type { PersistentVolumeClaim, Pod, ResourceQuota, Service } from "@knarr/api"
import { parseQuantity, Quantity, zeroQuantity, type Kind, type KubeObject } from "@knarr/apimachinery"
import { podLimits, podRequests } from "@knarr/pod-rules"

type Used = Map<string, Quantity>

const one = new Quantity(1, 0, "DecimalSI")
/** These are limited by their plain names as well. */
const legacyCounts = new Set([
  "configmaps",
  "persistentvolumeclaims",
  "pods",
  "replicationcontrollers",
  "resourcequotas",
  "secrets",
  "services",
])
const plainRequests = new Set(["cpu", "memory", "ephemeral-storage"])

function add(used: Used, name: string, amount: Quantity): void {
  used.set(name, (used.get(name) ?? zeroQuantity).add(amount))
}

function quantity(resource: string, amount: number): Quantity {
  if (resource === "cpu") return new Quantity(amount, -3, "DecimalSI")
  const binary =
    resource === "memory" || resource === "ephemeral-storage" || resource.startsWith("hugepages-")
  return new Quantity(amount, 0, binary ? "BinarySI" : "DecimalSI")
}

/** What one object takes of every limit that there may be. */
export function usageOf(kind: Kind, obj: KubeObject, nowMs: number): Used {
  const used: Used = new Map()
  add(used, kind.group === "" ? `count/${kind.plural}` : `count/${kind.plural}.${kind.group}`, one)
  const core = kind.group === ""
  if (core && kind.kind === "Pod") podUsage(obj as Pod, used, nowMs)
  else if (core && legacyCounts.has(kind.plural)) add(used, kind.plural, one)
  if (core && kind.kind === "Service") serviceUsage(obj as Service, used)
  if (core && kind.kind === "PersistentVolumeClaim") claimUsage(obj as PersistentVolumeClaim, used)
  return used
}

/** A pod that has ended, or whose time to end is long over, only counts as an object. */
export function isCharged(pod: Pod, nowMs: number): boolean {
  const { phase } = pod.status ?? {}
  if (phase === "Failed" || phase === "Succeeded") return false
  const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata
  if (!deletionTimestamp || deletionGracePeriodSeconds === undefined) return true
  return nowMs < Date.parse(deletionTimestamp) + deletionGracePeriodSeconds * 1000
}

function podUsage(pod: Pod, used: Used, nowMs: number): void {
  if (!isCharged(pod, nowMs)) return
  add(used, "pods", one)
  for (const [name, amount] of Object.entries(podRequests(pod))) {
    if (plainRequests.has(name) || name.startsWith("hugepages-")) add(used, name, quantity(name, amount))
    add(used, `requests.${name}`, quantity(name, amount))
  }
  for (const [name, amount] of Object.entries(podLimits(pod)))
    add(used, `limits.${name}`, quantity(name, amount))
}

function serviceUsage({ spec }: Service, used: Used): void {
  const ports = new Quantity(spec.ports?.length ?? 0, 0, "DecimalSI")
  if (spec.type === "NodePort") add(used, "services.nodeports", ports)
  if (spec.type !== "LoadBalancer") return
  add(used, "services.loadbalancers", one)
  const withPorts = spec.allocateLoadBalancerNodePorts !== false || spec.ports?.some((port) => port.nodePort)
  if (withPorts) add(used, "services.nodeports", ports)
}

function claimUsage({ spec, status, metadata }: PersistentVolumeClaim, used: Used): void {
  const requested = spec.resources?.requests?.["storage"]
  const granted = status?.allocatedResources?.["storage"]
  const amounts = [requested, granted].filter((text) => text !== undefined).map(parseQuantity)
  const storage = amounts.reduce((most, each) => (each.compare(most) > 0 ? each : most), zeroQuantity)
  const className =
    spec.storageClassName ?? metadata.annotations?.["volume.beta.kubernetes.io/storage-class"] ?? ""
  const prefix = `${className}.storageclass.storage.k8s.io/`
  add(used, "requests.storage", storage)
  if (className !== "") {
    add(used, `${prefix}requests.storage`, storage)
    add(used, `${prefix}persistentvolumeclaims`, one)
  }
}

/** Whether a quota with scopes looks at the pod. */
export function podInScope(pod: Pod, scope: string, operator: string, values: readonly string[]): boolean {
  switch (scope) {
    case "Terminating":
      return pod.spec.activeDeadlineSeconds !== undefined && pod.spec.activeDeadlineSeconds >= 0
    case "NotTerminating":
      return pod.spec.activeDeadlineSeconds === undefined
    case "BestEffort":
      return isBestEffort(pod)
    case "NotBestEffort":
      return !isBestEffort(pod)
    case "CrossNamespacePodAffinity":
      return crossesNamespaces(pod)
    case "PriorityClass": {
      const name = pod.spec.priorityClassName ?? ""
      if (operator === "Exists") return name !== ""
      if (operator === "DoesNotExist") return name === ""
      return values.includes(name) === (operator === "In")
    }
    default:
      return false
  }
}

function isBestEffort(pod: Pod): boolean {
  if (pod.status?.qosClass) return pod.status.qosClass === "BestEffort"
  const amounts = [podRequests(pod), podLimits(pod)]
  return amounts.every((each) => !each["cpu"] && !each["memory"])
}

function crossesNamespaces(pod: Pod): boolean {
  const { podAffinity, podAntiAffinity } = pod.spec.affinity ?? {}
  return [podAffinity, podAntiAffinity].some((each) =>
    [
      ...(each?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
      ...(each?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map((term) => term.podAffinityTerm),
    ].some((term) => (term.namespaces?.length ?? 0) > 0 || term.namespaceSelector !== undefined),
  )
}

/** Whether the quota looks at the object at all. */
export function inScope(quota: ResourceQuota, kind: Kind, obj: KubeObject): boolean {
  const scopes = [
    ...(quota.spec.scopes ?? []).map((scopeName) => ({
      scopeName,
      operator: "Exists",
      values: [] as string[],
    })),
    ...(quota.spec.scopeSelector?.matchExpressions ?? []),
  ]
  if (scopes.length === 0) return true
  if (kind.group !== "" || kind.kind !== "Pod") return false
  return scopes.every(({ scopeName, operator, values = [] }) =>
    podInScope(obj as Pod, scopeName, operator, values),
  )
}

/** `status.used` of a quota: an entry for each of its hard limits. */
export function usedBy(
  quota: ResourceQuota,
  objects: Iterable<readonly [Kind, KubeObject]>,
  nowMs: number,
): Record<string, string> {
  const hard = quota.spec.hard ?? {}
  const total: Used = new Map(Object.keys(hard).map((name) => [name, zeroQuantity]))
  for (const [kind, obj] of objects) {
    if (!inScope(quota, kind, obj)) continue
    for (const [name, amount] of usageOf(kind, obj, nowMs)) if (total.has(name)) add(total, name, amount)
  }
  return Object.fromEntries(
    [...total].map(([name, amount]) => [name, inFormatOf(amount, hard[name]!).toString()]),
  )
}

/** The amount as the limit is written: `500Mi` of `1Gi`. */
function inFormatOf(amount: Quantity, limit: string): Quantity {
  return parseQuantity(limit).sub(parseQuantity(limit)).add(amount)
}
