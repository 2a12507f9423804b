/** What a quota limits and how much of it is used. Pure. Mirrors: pkg/quota/v1/evaluator/core */
import type { PersistentVolumeClaim, Pod, resourceV1, ResourceQuota, Service } from "@knarr/api"
import { parseQuantity, Quantity, zeroQuantity, type Kind, type KubeObject } from "@knarr/apimachinery"
import { podLimits, podRequests } from "./resources.ts"
import { storageClassNameOf } from "./storage-class.ts"

/** Name of a limit → amount. */
export type QuotaUsage = Map<string, Quantity>

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
const byStorageClass = ".storageclass.storage.k8s.io/"
const devicesOfClass = ".deviceclass.resource.k8s.io/devices"
const plainRequests = new Set(["cpu", "memory", "ephemeral-storage"])

function add(used: QuotaUsage, name: string, amount: Quantity): void {
  used.set(name, (used.get(name) ?? zeroQuantity).add(amount))
}

/** The amount as Go would print the sum: in the format of the first that asks for it. */
function quantity(pod: Pod, side: "requests" | "limits", resource: string, amount: number): Quantity {
  const lists = [...pod.spec.containers, ...(pod.spec.initContainers ?? []), pod.spec].map(
    (each) => each.resources?.[side]?.[resource],
  )
  const text = lists.find((each) => each !== undefined) ?? pod.spec.overhead?.[resource]
  const format = text === undefined ? "DecimalSI" : parseQuantity(text).format
  return new Quantity(amount, resource === "cpu" ? -3 : 0, format)
}

function countName({ group, plural }: Kind): string {
  return group === "" ? `count/${plural}` : `count/${plural}.${group}`
}

function isResourceClaim({ group, plural }: Kind): boolean {
  return group === "resource.k8s.io" && plural === "resourceclaims"
}

/** Whether objects of the kind can count against the limit of this name. */
export function countsAgainst(kind: Kind, name: string): boolean {
  if (name === countName(kind)) return true
  if (isResourceClaim(kind)) return name.endsWith(devicesOfClass)
  if (kind.group !== "") return false
  if (legacyCounts.has(kind.plural) && name === kind.plural) return true
  switch (kind.kind) {
    case "Pod":
      return podLimit.test(name) || isExtendedRequest(name)
    case "Service":
      return name === "services.nodeports" || name === "services.loadbalancers"
    case "PersistentVolumeClaim":
      return (
        name === "requests.storage" ||
        name.endsWith(`${byStorageClass}requests.storage`) ||
        name.endsWith(`${byStorageClass}persistentvolumeclaims`)
      )
    default:
      return false
  }
}

const podLimit = /^(?:(?:requests\.|limits\.)?(?:cpu|memory|ephemeral-storage)$|(?:requests\.)?hugepages-)/

function isExtendedRequest(name: string): boolean {
  if (!name.startsWith("requests.")) return false
  if (name.startsWith("requests.deviceclass.resource.kubernetes.io/")) return true
  return name.includes("/") && !name.includes("kubernetes.io/")
}

/**
 * Why the pod cannot be counted against limits of these names, as `must specify limits.cpu for: a,b`; "" when
 * it can: each container must state what is limited, unless the pod as a whole does.
 */
export function missingResources(pod: Pod, limits: Iterable<string>): string {
  if (isPodLevel(pod)) return ""
  const containers = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])]
  const parts: string[] = []
  for (const limit of [...limits].sort()) {
    const match = /^(requests\.|limits\.)?(cpu|memory)$/.exec(limit)
    if (!match) continue
    const side = match[1] === "limits." ? "limits" : "requests"
    const names = containers
      .filter((each) => each.resources?.[side]?.[match[2]!] === undefined)
      .map((each) => each.name)
    if (names.length > 0) parts.push(`${limit} for: ${[...new Set(names)].sort().join(",")}`)
  }
  return parts.length > 0 ? `must specify ${parts.join("; ")}` : ""
}

function isPodLevel({ spec }: Pod): boolean {
  const { requests, limits } = spec.resources ?? {}
  return [requests, limits].some((list) =>
    Object.keys(list ?? {}).some(
      (name) => name === "cpu" || name === "memory" || name.startsWith("hugepages-"),
    ),
  )
}

/** What one object takes of every limit that there may be. */
export function usageOf(kind: Kind, obj: KubeObject, nowMs: number): QuotaUsage {
  const used: QuotaUsage = new Map()
  add(used, countName(kind), one)
  const core = kind.group === ""
  if (core && kind.kind === "Pod") podUsage(obj as Pod, used, nowMs)
  else if (core && legacyCounts.has(kind.plural)) add(used, kind.plural, one)
  if (core && kind.kind === "Service") serviceUsage(obj as Service, used)
  if (core && kind.kind === "PersistentVolumeClaim") claimUsage(obj as PersistentVolumeClaim, used)
  if (isResourceClaim(kind)) deviceUsage(obj as resourceV1.ResourceClaim, used)
  return used
}

/** A pod that has ended, or whose time to end is long over, only counts as an object. */
function isCharged(pod: Pod, nowMs: number): boolean {
  const { phase } = pod.status ?? {}
  if (phase === "Failed" || phase === "Succeeded") return false
  const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata
  if (!deletionTimestamp || deletionGracePeriodSeconds === undefined) return true
  return nowMs < Date.parse(deletionTimestamp) + deletionGracePeriodSeconds * 1000
}

function podUsage(pod: Pod, used: QuotaUsage, nowMs: number): void {
  if (!isCharged(pod, nowMs)) return
  add(used, "pods", one)
  for (const [name, number] of Object.entries(podRequests(pod))) {
    const amount = quantity(pod, "requests", name, number)
    if (plainRequests.has(name) || name.startsWith("hugepages-")) add(used, name, amount)
    add(used, `requests.${name}`, amount)
  }
  for (const [name, number] of Object.entries(podLimits(pod)))
    add(used, `limits.${name}`, quantity(pod, "limits", name, number))
}

function serviceUsage({ spec }: Service, used: QuotaUsage): void {
  const ports = spec.ports ?? []
  const balanced = spec.type === "LoadBalancer"
  const counted =
    balanced && spec.allocateLoadBalancerNodePorts === false ? ports.filter((port) => port.nodePort) : ports
  const nodePorts = balanced || spec.type === "NodePort" ? counted.length : 0
  add(used, "services.loadbalancers", balanced ? one : zeroQuantity)
  add(used, "services.nodeports", new Quantity(nodePorts, 0, "DecimalSI"))
}

/** The most devices that one request can be given. */
const allDevices = 32

function devices(request: { allocationMode?: string | undefined; count?: number | undefined }): Quantity {
  const { allocationMode, count } = request
  const number = allocationMode === "ExactCount" ? (count ?? 0) : allocationMode === "All" ? allDevices : 0
  return new Quantity(number, 0, "DecimalSI")
}

/** Devices by class; of several choices the worst case of each class. */
function deviceUsage({ spec }: resourceV1.ResourceClaim, used: QuotaUsage): void {
  const nameOf = (deviceClass: string): string => `${deviceClass}${devicesOfClass}`
  for (const { exactly, firstAvailable } of spec.devices?.requests ?? []) {
    if (firstAvailable?.length) {
      const most: QuotaUsage = new Map()
      for (const choice of firstAvailable) {
        const name = nameOf(choice.deviceClassName)
        const amount = devices(choice)
        if (amount.compare(most.get(name) ?? zeroQuantity) > 0) most.set(name, amount)
      }
      for (const [name, amount] of most) add(used, name, amount)
    } else if (exactly) add(used, nameOf(exactly.deviceClassName), devices(exactly))
  }
}

function claimUsage(claim: PersistentVolumeClaim, used: QuotaUsage): void {
  const { spec, status } = claim
  const className = storageClassNameOf(claim)
  const prefix = `${className}${byStorageClass}`
  if (className !== "") add(used, `${prefix}persistentvolumeclaims`, one)
  const requested = spec.resources?.requests?.["storage"]
  if (requested === undefined) return
  const granted = status?.allocatedResources?.["storage"]
  const amounts = [requested, ...(granted === undefined ? [] : [granted])].map(parseQuantity)
  const most = amounts.reduce((a, b) => (b.compare(a) > 0 ? b : a))
  // Whole bytes: a part of one counts as one.
  const whole = new Quantity(most.scaledValue(0), 0, most.format)
  const storage = whole.equals(most) ? most : whole
  add(used, "requests.storage", storage)
  if (className !== "") add(used, `${prefix}requests.storage`, storage)
}

/** Whether a quota with scopes looks at the pod. */
function podInScope(pod: Pod, scope: string, operator: string, values: readonly string[]): boolean {
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

/** Whether a quota with scopes looks at the claim, by any volume attributes class that it names. */
function claimInScope(
  { spec, status }: PersistentVolumeClaim,
  scope: string,
  operator: string,
  values: readonly string[],
): boolean {
  if (scope !== "VolumeAttributesClass") return false
  const names = [
    spec.volumeAttributesClassName,
    status?.currentVolumeAttributesClassName,
    status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
  ].filter((name) => name)
  if (operator === "Exists") return names.length > 0
  if (operator === "DoesNotExist") return names.length === 0
  if (names.length === 0) return operator === "NotIn"
  return names.some((name) => values.includes(name!) === (operator === "In"))
}

/** What a quota, or a configuration, asks of the objects that it is about. */
export interface QuotaScope {
  readonly scopeName: string
  readonly operator: string
  readonly values?: readonly string[] | undefined
}

export function quotaScopes({ spec }: Readonly<ResourceQuota>): readonly QuotaScope[] {
  const named = (spec.scopes ?? []).map((scopeName) => ({ scopeName, operator: "Exists" }))
  return [...named, ...(spec.scopeSelector?.matchExpressions ?? [])]
}

export function isInScope(
  { scopeName, operator, values = [] }: QuotaScope,
  kind: Kind,
  obj: KubeObject,
): boolean {
  if (kind.group !== "") return false
  if (kind.kind === "Pod") return podInScope(obj as Pod, scopeName, operator, values)
  if (kind.kind !== "PersistentVolumeClaim") return false
  return claimInScope(obj as PersistentVolumeClaim, scopeName, operator, values)
}

/** Whether the object is in every scope of the quota. */
export function inScope(quota: ResourceQuota, kind: Kind, obj: KubeObject): boolean {
  return quotaScopes(quota).every((scope) => isInScope(scope, kind, obj))
}

/** `status.used` of a quota: an entry for each of its hard limits. */
export function usedBy(
  quota: ResourceQuota,
  objects: Iterable<readonly [Kind, KubeObject]>,
  nowMs: number,
): Record<string, string> {
  const hard = quota.spec.hard ?? {}
  const total: QuotaUsage = new Map(Object.keys(hard).map((name) => [name, zeroQuantity]))
  for (const [kind, obj] of objects) {
    if (!inScope(quota, kind, obj)) continue
    for (const [name, amount] of usageOf(kind, obj, nowMs)) if (total.has(name)) add(total, name, amount)
  }
  return Object.fromEntries([...total].map(([name, amount]) => [name, amount.toString()]))
}
