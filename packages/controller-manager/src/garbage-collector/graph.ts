/**
 * Who owns whom: a graph of all objects, kept from informers' events. Pure: it returns what is to be looked at.
 * Mirrors: pkg/controller/garbagecollector/graph_builder.go
 */
import { semanticEqual, type Kind, type KubeObject, type OwnerReference } from "@knarr/apimachinery"

export const foregroundFinalizer = "foregroundDeletion"
export const orphanFinalizer = "orphan"

/** Where an object is; `kind` is undefined for an owner whose kind is not known. */
export interface Identity {
  readonly kind: Kind | undefined
  readonly apiVersion: string
  readonly kindName: string
  readonly namespace: string | undefined
  readonly name: string
  readonly uid: string
}

export interface GraphNode {
  identity: Identity
  owners: readonly OwnerReference[]
  readonly dependents: Map<string, GraphNode>
  /** It waits, with the foreground finalizer, for its dependents. */
  deletingDependents: boolean
  beingDeleted: boolean
  /** Only known because another object names it as its owner. */
  virtual: boolean
}

/** What an event makes necessary. Nodes by uid, in order. */
export interface Work {
  /** Objects that may have to be deleted. */
  readonly examine: GraphNode[]
  /** Owners whose dependents are to be set free. */
  readonly orphan: GraphNode[]
  /** References from a namespace to an owner in another one. */
  readonly invalid: { readonly node: GraphNode; readonly owner: OwnerReference }[]
}

export type ResolveKind = (apiVersion: string, kind: string) => Kind | undefined

const newWork = (): Work => ({ examine: [], orphan: [], invalid: [] })

function deletesWith(obj: KubeObject | undefined, finalizer: string): boolean {
  return Boolean(obj?.metadata.deletionTimestamp) && (obj?.metadata.finalizers?.includes(finalizer) ?? false)
}

export class OwnerGraph {
  readonly #nodes = new Map<string, GraphNode>()
  readonly #resolve: ResolveKind

  constructor(resolve: ResolveKind) {
    this.#resolve = resolve
  }

  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid)
  }

  get size(): number {
    return this.#nodes.size
  }

  /** An object appeared or changed; `old` is what it was. */
  upsert(kind: Kind, obj: KubeObject, old: KubeObject | undefined): Work {
    const work = newWork()
    const { uid, namespace, name } = obj.metadata
    const owners = obj.metadata.ownerReferences ?? []
    const identity: Identity = {
      kind,
      apiVersion: kind.apiVersion,
      kindName: kind.kind,
      namespace,
      name,
      uid,
    }
    let node = this.#nodes.get(uid)
    if (!node) {
      node = {
        identity,
        owners,
        dependents: new Map(),
        deletingDependents: false,
        beingDeleted: false,
        virtual: false,
      }
      this.#nodes.set(uid, node)
      this.#link(node, owners, work)
    } else {
      if (node.virtual) {
        // The real thing: dependents that meant another place are looked at.
        const assumed = node.identity
        node.virtual = false
        node.identity = identity
        for (const dependent of node.dependents.values()) {
          if (!sameCoordinates(assumed, identity) || !canOwn(identity, dependent.identity)) {
            work.examine.push(dependent)
            this.#checkNamespace(dependent, node, work)
          }
        }
        this.#link(node, owners, work)
      } else this.#relink(node, owners, work)
      node.identity = identity
      node.owners = owners
    }
    node.beingDeleted = Boolean(obj.metadata.deletionTimestamp)
    if (deletesWith(obj, orphanFinalizer) && !deletesWith(old, orphanFinalizer)) work.orphan.push(node)
    if (deletesWith(obj, foregroundFinalizer) && !deletesWith(old, foregroundFinalizer)) {
      node.deletingDependents = true
      work.examine.push(...node.dependents.values(), node)
    }
    return work
  }

  /** A virtual node turned out not to exist where the first reference says: each dependent is looked at for itself. */
  absent(uid: string): Work {
    const work = newWork()
    const node = this.#nodes.get(uid)
    if (node?.virtual) work.examine.push(...node.dependents.values())
    return work
  }

  /** An object is gone. */
  remove(uid: string): Work {
    const work = newWork()
    const node = this.#nodes.get(uid)
    if (!node) return work
    this.#nodes.delete(uid)
    for (const owner of node.owners) this.#nodes.get(owner.uid)?.dependents.delete(uid)
    for (const owner of node.owners) this.#dropVirtual(owner.uid)
    work.examine.push(...node.dependents.values())
    for (const { uid: ownerUid } of node.owners) {
      const owner = this.#nodes.get(ownerUid)
      if (owner?.deletingDependents) work.examine.push(owner)
    }
    return work
  }

  /**
   * A kind is served no more: its objects are known no more. One that owns others stays as what their references say
   * of it, an owner of an unknown kind, so that nothing is deleted for it.
   */
  forget(kind: Kind): void {
    for (const [uid, node] of this.#nodes) {
      if (node.virtual || node.identity.kind?.id !== kind.id) continue
      const { owners } = node
      node.owners = []
      for (const owner of owners) this.#nodes.get(owner.uid)?.dependents.delete(uid)
      for (const owner of owners) this.#dropVirtual(owner.uid)
      node.identity = { ...node.identity, kind: undefined }
      node.virtual = true
      node.beingDeleted = false
      node.deletingDependents = false
      this.#dropVirtual(uid)
    }
  }

  /** The dependents that must go before the node may. */
  blocking(node: GraphNode): GraphNode[] {
    return [...node.dependents.values()].filter((dependent) =>
      dependent.owners.some((ref) => ref.uid === node.identity.uid && ref.blockOwnerDeletion === true),
    )
  }

  #link(node: GraphNode, refs: readonly OwnerReference[], work: Work): void {
    for (const ref of refs) {
      let owner = this.#nodes.get(ref.uid)
      if (!owner) {
        const kind = this.#resolve(ref.apiVersion, ref.kind)
        const namespace = kind && !kind.namespaced ? undefined : node.identity.namespace
        owner = {
          identity: {
            kind,
            apiVersion: ref.apiVersion,
            kindName: ref.kind,
            namespace,
            name: ref.name,
            uid: ref.uid,
          },
          owners: [],
          dependents: new Map(),
          deletingDependents: false,
          beingDeleted: false,
          virtual: true,
        }
        this.#nodes.set(ref.uid, owner)
      }
      if (owner.virtual) work.examine.push(owner)
      owner.dependents.set(node.identity.uid, node)
      if (!owner.virtual && (!canOwn(owner.identity, node.identity) || !names(ref, owner.identity))) {
        work.examine.push(node)
        this.#checkNamespace(node, owner, work)
      }
    }
  }

  #checkNamespace(node: GraphNode, owner: GraphNode, work: Work): void {
    if (canOwn(owner.identity, node.identity)) return
    const ref = node.owners.find((one) => one.uid === owner.identity.uid)
    if (ref) work.invalid.push({ node, owner: ref })
  }

  #relink(node: GraphNode, next: readonly OwnerReference[], work: Work): void {
    if (semanticEqual(node.owners, next)) return
    const before = new Map(node.owners.map((ref) => [ref.uid, ref]))
    const after = new Map(next.map((ref) => [ref.uid, ref]))
    for (const ref of node.owners) {
      const now = after.get(ref.uid)
      const owner = this.#nodes.get(ref.uid)
      if (!now) owner?.dependents.delete(node.identity.uid)
      // An owner that waited for this object need not do so any longer.
      if (owner && ref.blockOwnerDeletion && !now?.blockOwnerDeletion) work.examine.push(owner)
      if (!now) this.#dropVirtual(ref.uid)
    }
    node.owners = next
    this.#link(
      node,
      next.filter((ref) => !before.has(ref.uid)),
      work,
    )
  }

  #dropVirtual(uid: string): void {
    const node = this.#nodes.get(uid)
    if (node?.virtual && node.dependents.size === 0) this.#nodes.delete(uid)
  }
}

function sameCoordinates(a: Identity, b: Identity): boolean {
  return a.namespace === b.namespace && a.name === b.name && a.kindName === b.kindName
}

function names(ref: OwnerReference, owner: Identity): boolean {
  return ref.name === owner.name && ref.kind === owner.kindName
}

/** An owner is cluster-scoped or in the namespace of what it owns. */
function canOwn(owner: Identity, dependent: Identity): boolean {
  return !owner.namespace || owner.namespace === dependent.namespace
}
