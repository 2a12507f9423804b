/**
 * What the scheduler holds to be true: nodes and the pods on them, among them pods that it has just assigned
 * and whose binding is not confirmed yet. Mirrors: pkg/scheduler/backend/cache/cache.go
 */
import type { Node, Pod } from "@knarr/api"
import { isPodTerminal } from "@knarr/pod-rules"
import type { Snapshot } from "../framework.ts"
import { NodeInfo, podInfoOf } from "./node-info.ts"

export class ClusterCache {
  readonly #nodes = new Map<string, NodeInfo>()
  /** Pod UID → node, for pods that count. */
  readonly #places = new Map<string, string>()
  /** Pods whose node is not known (yet): counted when it comes. */
  readonly #homeless = new Map<string, Map<string, Readonly<Pod>>>()
  readonly #assumed = new Set<string>()
  readonly #lookups: Pick<Snapshot, "namespaceLabels" | "defaultSelector">

  constructor(lookups: Pick<Snapshot, "namespaceLabels" | "defaultSelector">) {
    this.#lookups = lookups
  }

  setNode(node: Readonly<Node>): void {
    const { name } = node.metadata
    const known = this.#nodes.get(name)
    if (known) return known.setNode(node)
    this.#nodes.set(name, new NodeInfo(node))
    const waiting = this.#homeless.get(name)
    this.#homeless.delete(name)
    for (const pod of waiting?.values() ?? []) this.#place(pod, name)
  }

  removeNode(name: string): void {
    const info = this.#nodes.get(name)
    this.#nodes.delete(name)
    for (const { pod } of info?.pods.values() ?? []) this.#place(pod, name)
  }

  /** A pod as the API has it now, on its node or on none. */
  setPod(pod: Readonly<Pod>): void {
    const { uid } = pod.metadata
    const nodeName = pod.spec.nodeName
    // An event from before the binding must not undo what was assumed.
    if (!nodeName && this.#assumed.has(uid)) return
    this.#assumed.delete(uid)
    this.#unplace(uid)
    if (nodeName && !isPodTerminal(pod)) this.#place(pod, nodeName)
  }

  removePod(pod: Readonly<Pod>): void {
    this.#assumed.delete(pod.metadata.uid)
    this.#unplace(pod.metadata.uid)
  }

  /** Counts the pod on the node until the API confirms the binding or `forget` takes it back. */
  assume(pod: Readonly<Pod>, nodeName: string): void {
    this.#assumed.add(pod.metadata.uid)
    this.#unplace(pod.metadata.uid)
    this.#place(pod, nodeName)
  }

  forget(pod: Readonly<Pod>): void {
    if (this.#assumed.delete(pod.metadata.uid)) this.#unplace(pod.metadata.uid)
  }

  isAssumed(uid: string): boolean {
    return this.#assumed.has(uid)
  }

  /** Valid until the cache is changed: a cycle runs without an await. */
  snapshot(): Snapshot {
    const nodes = [...this.#nodes.values()]
    return {
      nodes,
      byName: this.#nodes,
      withAffinity: nodes.filter((node) => node.withAffinity > 0),
      withRequiredAntiAffinity: nodes.filter((node) => node.withRequiredAntiAffinity > 0),
      ...this.#lookups,
    }
  }

  #place(pod: Readonly<Pod>, nodeName: string): void {
    const { uid } = pod.metadata
    this.#places.set(uid, nodeName)
    const info = this.#nodes.get(nodeName)
    if (info) return info.add(podInfoOf(pod))
    const waiting = this.#homeless.get(nodeName) ?? new Map<string, Readonly<Pod>>()
    this.#homeless.set(nodeName, waiting)
    waiting.set(uid, pod)
  }

  #unplace(uid: string): void {
    const nodeName = this.#places.get(uid)
    if (nodeName === undefined) return
    this.#places.delete(uid)
    this.#nodes.get(nodeName)?.remove(uid)
    const waiting = this.#homeless.get(nodeName)
    waiting?.delete(uid)
    if (waiting?.size === 0) this.#homeless.delete(nodeName)
  }
}
