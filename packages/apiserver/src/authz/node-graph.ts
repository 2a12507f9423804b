/**
 * Which objects belong to which node, through the pods that run there. A mirror pod is the node's own word and
 * leads to nothing but itself. Reads the watch caches' index of pods by node, and one of volumes by claim that it
 * keeps itself. Mirrors: plugin/pkg/auth/authorizer/node/graph.go
 */
import { persistentVolume, pod, podCertificateRequest, resourceSlice, volumeAttachment } from "@knarr/api"
import type { PersistentVolume, Pod } from "@knarr/api"
import { escapeFieldValue, type Kind, type KubeObject } from "@knarr/apimachinery"
import type { Registry } from "../registry/registry.ts"
import {
  isMirrorPod,
  podConfigMaps,
  podResourceClaims,
  podSecrets,
  podVolumeClaims,
  volumeSecrets,
} from "@knarr/pod-rules"

/** What a node may be related to by name. */
export type RelatedResource =
  | "configmaps"
  | "persistentvolumeclaims"
  | "persistentvolumes"
  | "podcertificaterequests"
  | "pods"
  | "resourceclaims"
  | "resourceslices"
  | "secrets"
  | "serviceaccounts"
  | "volumeattachments"

export class NodeGraph implements Disposable {
  readonly #registry: Registry
  readonly #claimOfVolume = new Map<string, string>()
  /** Names of volumes by `<namespace>/<name>` of the claim that they are bound to. */
  readonly #volumesOfClaim = new Map<string, Set<string>>()
  readonly #following: Disposable | undefined

  constructor(registry: Registry) {
    this.#registry = registry
    if (!registry.kinds.includes(persistentVolume)) return
    for (const { metadata } of registry.list(persistentVolume)) this.#place(metadata.name)
    this.#following = registry.onChange(persistentVolume, (volumes) => {
      for (const { name } of volumes) this.#place(name)
    })
  }

  [Symbol.dispose](): void {
    this.#following?.[Symbol.dispose]()
  }

  /** Whether the object is one that `node` has to do with. */
  isRelated(node: string, resource: RelatedResource, namespace: string, name: string): boolean {
    switch (resource) {
      case "pods":
        return this.#get(pod, name, namespace)?.spec.nodeName === node
      case "volumeattachments":
        return this.#get(volumeAttachment, name)?.spec.nodeName === node
      case "resourceslices":
        return this.#get(resourceSlice, name)?.spec.nodeName === node
      case "podcertificaterequests":
        return this.#get(podCertificateRequest, name, namespace)?.spec.nodeName === node
      case "configmaps":
        return this.#names(node, namespace, podConfigMaps, name)
      case "resourceclaims":
        return this.#names(node, namespace, podResourceClaims, name)
      case "serviceaccounts":
        return this.#names(node, namespace, ({ spec }) => new Set([spec.serviceAccountName ?? ""]), name)
      case "persistentvolumeclaims":
        return this.#names(node, namespace, podVolumeClaims, name)
      case "persistentvolumes":
        for (const volume of this.#volumes(node)) if (volume.metadata.name === name) return true
        return false
      case "secrets":
        if (this.#names(node, namespace, podSecrets, name)) return true
        for (const volume of this.#volumes(node))
          if (volumeSecrets(volume).has(`${namespace}/${name}`)) return true
        return false
    }
  }

  #get<T extends KubeObject>(kind: Kind<T>, name: string, namespace = ""): Readonly<T> | undefined {
    return this.#registry.serves(kind) ? this.#registry.get(kind, { namespace, name }) : undefined
  }

  #place(volume: string): void {
    const claim = this.#get(persistentVolume, volume)?.spec.claimRef
    const now = claim?.namespace && claim.name ? `${claim.namespace}/${claim.name}` : undefined
    const before = this.#claimOfVolume.get(volume)
    if (before === now) return
    if (before !== undefined) {
      this.#claimOfVolume.delete(volume)
      const names = this.#volumesOfClaim.get(before)!
      names.delete(volume)
      if (names.size === 0) this.#volumesOfClaim.delete(before)
    }
    if (now === undefined) return
    this.#claimOfVolume.set(volume, now)
    const names = this.#volumesOfClaim.get(now)
    if (names) names.add(volume)
    else this.#volumesOfClaim.set(now, new Set([volume]))
  }

  /** The pods on a node, but its mirror pods; of all namespaces when that is "". */
  *#pods(node: string, namespace: string): Generator<Readonly<Pod>> {
    if (!this.#registry.kinds.includes(pod)) return
    const storage = this.#registry.storage(pod)
    const fieldSelector = `spec.nodeName=${escapeFieldValue(node)}`
    for (const object of storage.cache.candidates(storage.select({ namespace, fieldSelector }))) {
      const value = storage.view.value(object) as Readonly<Pod>
      if (value.spec.nodeName === node && !isMirrorPod(value)) yield value
    }
  }

  #names(
    node: string,
    namespace: string,
    namesOf: (pod: Readonly<Pod>) => Set<string>,
    name: string,
  ): boolean {
    if (namespace === "") return false
    for (const one of this.#pods(node, namespace)) if (namesOf(one).has(name)) return true
    return false
  }

  /** The volumes that are bound to the claims of a node's pods. */
  *#volumes(node: string): Generator<Readonly<PersistentVolume>> {
    if (this.#volumesOfClaim.size === 0) return
    for (const one of this.#pods(node, "")) {
      for (const claim of podVolumeClaims(one)) {
        for (const name of this.#volumesOfClaim.get(`${one.metadata.namespace}/${claim}`) ?? []) {
          const volume = this.#get(persistentVolume, name)
          if (volume) yield volume
        }
      }
    }
  }
}
