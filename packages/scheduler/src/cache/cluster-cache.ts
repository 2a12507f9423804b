/**
 * What the scheduler holds to be true: nodes and the pods on them, among them pods that it has just assigned
 * and whose binding is not confirmed yet. Mirrors: pkg/scheduler/backend/cache/cache.go
 */
import type { Node, Pod } from "@knarr/api"
import { isPodTerminal } from "@knarr/pod-rules"
import { NodeInfo, podInfoOf } from "./node-info.ts"
import { CacheSnapshot, type Snapshot } from "./snapshot.ts"

export class ClusterCache {
  readonly #nodes = new Map<string, NodeInfo>()
  /** Pod UID → node, for pods that count. */
  readonly #places = new Map<string, string>()
  /** Pods whose node is not known (yet): counted when it comes. */
  readonly #homeless = new Map<string, Map<string, Readonly<Pod>>>()
  /** By UID, as they were assigned: with a node. */
  readonly #assumed = new Map<string, Readonly<Pod>>()
  readonly #snapshot = new CacheSnapshot()
  /** Nodes whose info is the cache's own again, copied since it was handed out in the snapshot. */
  readonly #changed = new Set<string>()
  /** Nodes came or went since the snapshot. */
  #isRebuilt = true

  setNode(node: Readonly<Node>): void {
    const { name } = node.metadata
    if (this.#nodes.has(name)) return this.#own(name)!.setNode(node)
    this.#nodes.set(name, new NodeInfo(node))
    this.#isRebuilt = true
    const waiting = this.#homeless.get(name)
    this.#homeless.delete(name)
    for (const pod of waiting?.values() ?? []) this.#place(pod, name)
  }

  removeNode(name: string): void {
    const info = this.#nodes.get(name)
    this.#nodes.delete(name)
    this.#isRebuilt = true
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

  /** Counts the pod on `spec.nodeName` until the API confirms the binding or `forget` takes it back. */
  assume(pod: Readonly<Pod>): void {
    this.#assumed.set(pod.metadata.uid, pod)
    this.#unplace(pod.metadata.uid)
    this.#place(pod, pod.spec.nodeName!)
  }

  forget(pod: Readonly<Pod>): void {
    if (this.#assumed.delete(pod.metadata.uid)) this.#unplace(pod.metadata.uid)
  }

  /** The pod as it was assigned. */
  assumed(uid: string): Readonly<Pod> | undefined {
    return this.#assumed.get(uid)
  }

  /** Brings the one snapshot up to date; nothing in it changes until this is called again. */
  snapshot(): Snapshot {
    if (this.#isRebuilt) this.#snapshot.rebuild(this.#nodes.values())
    else for (const name of this.#changed) this.#snapshot.replace(this.#nodes.get(name)!)
    this.#isRebuilt = false
    this.#changed.clear()
    return this.#snapshot
  }

  /** The node's info, ours to change: a copy when the snapshot has it. */
  #own(name: string): NodeInfo | undefined {
    const info = this.#nodes.get(name)
    if (!info || this.#changed.has(name)) return info
    const copy = info.clone()
    this.#nodes.set(name, copy)
    this.#changed.add(name)
    return copy
  }

  #place(pod: Readonly<Pod>, nodeName: string): void {
    const { uid } = pod.metadata
    this.#places.set(uid, nodeName)
    const info = this.#own(nodeName)
    if (info) return info.add(podInfoOf(pod))
    const waiting = this.#homeless.get(nodeName) ?? new Map<string, Readonly<Pod>>()
    this.#homeless.set(nodeName, waiting)
    waiting.set(uid, pod)
  }

  #unplace(uid: string): void {
    const nodeName = this.#places.get(uid)
    if (nodeName === undefined) return
    this.#places.delete(uid)
    this.#own(nodeName)?.remove(uid)
    const waiting = this.#homeless.get(nodeName)
    waiting?.delete(uid)
    if (waiting?.size === 0) this.#homeless.delete(nodeName)
  }
}
