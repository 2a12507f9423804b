/** A node with what runs on it, summed up. Mirrors: kube-scheduler framework/types.go NodeInfo, PodInfo */
import type { Node, Pod, Taint } from "@knarr/api"
import {
  allocatableOf,
  hostPortsOf,
  nonZeroRequests,
  podRequests,
  type Amounts,
  type HostPortUse,
} from "@knarr/pod-rules"
import { termsOf, type PodTerms } from "../framework/affinity-terms.ts"

/** A pod with what the scheduler computes of it once. */
export interface PodInfo {
  readonly pod: Readonly<Pod>
  readonly requests: Readonly<Amounts>
  readonly nonZero: { readonly cpu: number; readonly memory: number }
  readonly hostPorts: readonly HostPortUse[]
  readonly terms: PodTerms
}

/** The higher, the more important; a pod of no class has 0. */
export function priorityOf(pod: Readonly<Pod>): number {
  return pod.spec.priority ?? 0
}

const infos = new WeakMap<Readonly<Pod>, PodInfo>()
/** A decision asks of one pod, once for each node. */
let last: PodInfo | undefined

/** Computed once per pod object: objects are frozen. */
export function podInfoOf(pod: Readonly<Pod>): PodInfo {
  if (last?.pod === pod) return last
  let info = infos.get(pod)
  if (!info) {
    info = {
      pod,
      requests: podRequests(pod),
      nonZero: nonZeroRequests(pod),
      hostPorts: hostPortsOf(pod.spec),
      terms: termsOf(pod),
    }
    infos.set(pod, info)
  }
  last = info
  return info
}

/** What is computed of a node object; a clone shares it. */
interface NodeFacts {
  readonly node: Readonly<Node>
  readonly allocatable: Readonly<Amounts>
  readonly images: ReadonlyMap<string, number>
}

/**
 * One in a {@link Snapshot} does not change. Who asks what would be changes a {@link NodeInfo.clone}: `add` and
 * `remove` pods, and tell the plugins' state of each.
 */
export class NodeInfo {
  #facts: NodeFacts
  /**
   * What every decision asks of every node lies side by side in the object: cpu in millicores, memory in bytes. Read
   * only, as all of it.
   */
  allocatableCpu = 0
  allocatableMemory = 0
  allowedPods = 0
  podCount = 0
  requestedCpu = 0
  requestedMemory = 0
  nonZeroCpu = 0
  nonZeroMemory = 0
  isUnschedulable = false
  /** Undefined when there are none. */
  taints: readonly Taint[] | undefined
  readonly #pods: Map<string, PodInfo>
  /** Pods whose terms draw others near or keep them away by score; those with required anti-affinity. Made when there is one. */
  #withAffinity: Map<string, PodInfo> | undefined
  #withRequiredAntiAffinity: Map<string, PodInfo> | undefined
  readonly #requested: Amounts

  constructor(node: Readonly<Node>, from?: NodeInfo) {
    this.#facts = from ? from.#facts : factsOf(node)
    this.#readFacts()
    this.#pods = new Map(from ? from.#pods : [])
    this.#requested = from ? { ...from.#requested } : {}
    if (!from) return
    this.podCount = from.podCount
    this.requestedCpu = from.requestedCpu
    this.requestedMemory = from.requestedMemory
    this.nonZeroCpu = from.nonZeroCpu
    this.nonZeroMemory = from.nonZeroMemory
    if (from.#withAffinity) this.#withAffinity = new Map(from.#withAffinity)
    if (from.#withRequiredAntiAffinity)
      this.#withRequiredAntiAffinity = new Map(from.#withRequiredAntiAffinity)
  }

  clone(): NodeInfo {
    return new NodeInfo(this.node, this)
  }

  get node(): Readonly<Node> {
    return this.#facts.node
  }
  get name(): string {
    return this.#facts.node.metadata.name
  }
  get labels(): Readonly<Record<string, string>> {
    return this.#facts.node.metadata.labels ?? noLabels
  }
  get allocatable(): Readonly<Amounts> {
    return this.#facts.allocatable
  }
  /** Image name → bytes, of every name that the node reports. */
  get images(): ReadonlyMap<string, number> {
    return this.#facts.images
  }
  /** By UID, pods among them that are assigned but not yet bound. */
  get pods(): ReadonlyMap<string, PodInfo> {
    return this.#pods
  }
  get podsWithAffinity(): ReadonlyMap<string, PodInfo> {
    return this.#withAffinity ?? none
  }
  get podsWithRequiredAntiAffinity(): ReadonlyMap<string, PodInfo> {
    return this.#withRequiredAntiAffinity ?? none
  }
  /** What the pods ask for together. */
  get requested(): Readonly<Amounts> {
    return this.#requested
  }
  setNode(node: Readonly<Node>): void {
    this.#facts = factsOf(node)
    this.#readFacts()
  }

  #readFacts(): void {
    const { node, allocatable } = this.#facts
    this.allocatableCpu = allocatable["cpu"] ?? 0
    this.allocatableMemory = allocatable["memory"] ?? 0
    this.allowedPods = allocatable["pods"] ?? 0
    this.isUnschedulable = node.spec.unschedulable === true
    this.taints = node.spec.taints?.length ? node.spec.taints : undefined
  }

  add(info: PodInfo): void {
    const { uid } = info.pod.metadata
    this.remove(uid)
    this.#pods.set(uid, info)
    this.#count(info, 1)
    const { requiredAffinity, preferredAffinity, preferredAntiAffinity } = info.terms
    if (requiredAffinity.length + preferredAffinity.length + preferredAntiAffinity.length > 0)
      (this.#withAffinity ??= new Map()).set(uid, info)
    if (info.terms.requiredAntiAffinity.length > 0)
      (this.#withRequiredAntiAffinity ??= new Map()).set(uid, info)
  }

  /** Whether it was here. */
  remove(uid: string): boolean {
    const info = this.#pods.get(uid)
    if (!info) return false
    this.#pods.delete(uid)
    this.#count(info, -1)
    this.#withAffinity?.delete(uid)
    this.#withRequiredAntiAffinity?.delete(uid)
    return true
  }

  #count(info: PodInfo, sign: 1 | -1): void {
    for (const name in info.requests)
      this.#requested[name] = (this.#requested[name] ?? 0) + sign * info.requests[name]!
    this.podCount = this.#pods.size
    this.requestedCpu = this.#requested["cpu"] ?? 0
    this.requestedMemory = this.#requested["memory"] ?? 0
    // Containers that ask for nothing count with a default.
    this.nonZeroCpu += sign * info.nonZero.cpu
    this.nonZeroMemory += sign * info.nonZero.memory
  }
}

const none: ReadonlyMap<string, PodInfo> = new Map()
const noLabels: Readonly<Record<string, string>> = Object.freeze({})

function factsOf(node: Readonly<Node>): NodeFacts {
  const images = new Map<string, number>()
  for (const image of node.status.images ?? [])
    for (const name of image.names ?? []) images.set(name, image.sizeBytes ?? 0)
  return { node, allocatable: allocatableOf(node), images }
}
