/**
 * Pods without a node that are to get one when its present pods are gone: they count there for pods of the
 * same or lower priority. Mirrors: pkg/scheduler/backend/queue/nominator.go
 */
import type { Pod } from "@knarr/api"
import { podInfoOf, type PodInfo } from "./node-info.ts"

export class Nominator {
  /** Pod UID → node. */
  readonly #nodes = new Map<string, string>()
  readonly #pods = new Map<string, Map<string, PodInfo>>()

  get size(): number {
    return this.#nodes.size
  }

  /** Nominates the pod for the node; an empty name takes its nomination back. */
  set(pod: Readonly<Pod>, nodeName: string): void {
    const { uid } = pod.metadata
    this.delete(uid)
    if (nodeName === "") return
    this.#nodes.set(uid, nodeName)
    const here = this.#pods.get(nodeName) ?? new Map<string, PodInfo>()
    this.#pods.set(nodeName, here.set(uid, podInfoOf(pod)))
  }

  /** A waiting pod as the API has it now. */
  update(pod: Readonly<Pod>, old: Readonly<Pod> | undefined): void {
    const now = pod.status.nominatedNodeName ?? ""
    const before = old?.status.nominatedNodeName ?? ""
    // What was nominated here and not written yet must survive an event from before.
    this.set(pod, now === "" && before === "" ? (this.#nodes.get(pod.metadata.uid) ?? "") : now)
  }

  delete(uid: string): void {
    const nodeName = this.#nodes.get(uid)
    if (nodeName === undefined) return
    this.#nodes.delete(uid)
    const here = this.#pods.get(nodeName)!
    here.delete(uid)
    if (here.size === 0) this.#pods.delete(nodeName)
  }

  podsOn(nodeName: string): Iterable<PodInfo> {
    return this.#pods.get(nodeName)?.values() ?? []
  }
}
