/** A node with what runs on it, summed up. Mirrors: kube-scheduler framework/types.go NodeInfo */
import type { Node, Pod } from "@knarr/api"
import {
  addAmounts,
  allocatableOf,
  hostPortsOf,
  nonZeroRequests,
  podRequests,
  type Amounts,
  type HostPortUse,
} from "@knarr/pod-rules"

/** A pod with what the scheduler computes of it once. */
export interface PodInfo {
  readonly pod: Readonly<Pod>
  readonly requests: Readonly<Amounts>
  readonly nonZero: { readonly cpu: number; readonly memory: number }
  readonly hostPorts: readonly HostPortUse[]
}

const infos = new WeakMap<Readonly<Pod>, PodInfo>()

/** Computed once per pod object: objects are frozen. */
export function podInfoOf(pod: Readonly<Pod>): PodInfo {
  let info = infos.get(pod)
  if (!info) {
    info = {
      pod,
      requests: podRequests(pod),
      nonZero: nonZeroRequests(pod),
      hostPorts: hostPortsOf(pod.spec),
    }
    infos.set(pod, info)
  }
  return info
}

/** Changed by the cache between cycles only. */
export class NodeInfo {
  #node: Readonly<Node>
  allocatable: Readonly<Amounts>
  /** Image name → bytes, of every name that the node reports. */
  images: ReadonlyMap<string, number>
  readonly pods = new Map<string, PodInfo>()
  readonly requested: Amounts = {}
  nonZeroCpu = 0
  nonZeroMemory = 0
  withAffinity = 0
  withRequiredAntiAffinity = 0

  constructor(node: Readonly<Node>) {
    this.#node = node
    this.allocatable = allocatableOf(node)
    this.images = imagesOf(node)
  }

  get node(): Readonly<Node> {
    return this.#node
  }
  get name(): string {
    return this.#node.metadata.name
  }
  get labels(): Readonly<Record<string, string>> {
    return this.#node.metadata.labels ?? {}
  }

  setNode(node: Readonly<Node>): void {
    this.#node = node
    this.allocatable = allocatableOf(node)
    this.images = imagesOf(node)
  }

  add(info: PodInfo): void {
    this.pods.set(info.pod.metadata.uid, info)
    this.#count(info, 1)
  }

  remove(uid: string): void {
    const info = this.pods.get(uid)
    if (!info) return
    this.pods.delete(uid)
    this.#count(info, -1)
  }

  #count(info: PodInfo, sign: 1 | -1): void {
    const amounts: Amounts = {}
    for (const name in info.requests) amounts[name] = sign * info.requests[name]!
    addAmounts(this.requested, amounts)
    this.nonZeroCpu += sign * info.nonZero.cpu
    this.nonZeroMemory += sign * info.nonZero.memory
    const { affinity } = info.pod.spec
    if (affinity?.podAffinity || affinity?.podAntiAffinity) this.withAffinity += sign
    if (affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.length)
      this.withRequiredAntiAffinity += sign
  }
}

function imagesOf(node: Readonly<Node>): Map<string, number> {
  const images = new Map<string, number>()
  for (const image of node.status.images ?? [])
    for (const name of image.names ?? []) images.set(name, image.sizeBytes ?? 0)
  return images
}
