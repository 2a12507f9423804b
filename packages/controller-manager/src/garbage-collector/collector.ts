/** Deletes what has lost its owners. Mirrors: pkg/controller/garbagecollector/garbagecollector.go */
import { isConflict, isNotFound, type Kind, type KubeObject, type OwnerReference } from "@knarr/apimachinery"
import type { ReconcileContext } from "@knarr/controller-kit"
import {
  foregroundFinalizer,
  orphanFinalizer,
  type GraphNode,
  type Identity,
  type OwnerGraph,
  type ResolveKind,
  type Work,
} from "./graph.ts"

const absentBound = 500

type Policy = "Orphan" | "Background" | "Foreground"

export class Collector {
  readonly #ctx: ReconcileContext
  readonly #graph: OwnerGraph
  readonly #resolve: ResolveKind
  readonly #enqueue: (work: Work) => void
  /**
   * Owners that are known not to exist, oldest first. With their namespace: what is not here may well be
   * elsewhere, and another object's reference to it is then good.
   */
  readonly #absent = new Set<string>()

  constructor(ctx: ReconcileContext, graph: OwnerGraph, resolve: ResolveKind, enqueue: (work: Work) => void) {
    this.#ctx = ctx
    this.#graph = graph
    this.#resolve = resolve
    this.#enqueue = enqueue
  }

  /** Remembers that there is no object with this uid in this place. */
  markAbsent(identity: Omit<Identity, "kind">): void {
    this.#absent.add(coordinates(identity))
    if (this.#absent.size > absentBound) this.#absent.delete(this.#absent.values().next().value!)
  }

  /** Looks at one object and deletes or changes it when its owners say so. Throws to be called again. */
  async examine(uid: string): Promise<void> {
    const node = this.#graph.get(uid)
    if (!node) return
    if (node.beingDeleted && !node.deletingDependents) return
    const kind = this.#kindOf(node)
    const latest = await this.#live(kind, node.identity)
    if (!latest || latest.metadata.uid !== uid) {
      if (kind === undefined) throw new UnknownKindError(node.identity.apiVersion, node.identity.kindName)
      // Only a guess from a reference: it turns out not to exist. What was seen is removed by its own event.
      if (node.virtual) {
        this.markAbsent(node.identity)
        this.#enqueue(this.#graph.absent(uid))
      }
      return
    }
    if (node.virtual) return
    if (node.deletingDependents) return this.#finishForeground(node, latest)
    const refs = latest.metadata.ownerReferences ?? []
    if (refs.length === 0) return
    const { solid, gone, waiting } = await this.#classify(node, refs)
    if (solid.length > 0) {
      if (gone.length + waiting.length > 0)
        await this.#dropOwners(node, latest, new Set([...gone, ...waiting].map((ref) => ref.uid)))
      return
    }
    if (waiting.length > 0 && node.dependents.size > 0) {
      // A circle of owners that all wait in the foreground is broken by not blocking any more.
      if ([...node.dependents.values()].some((dependent) => dependent.deletingDependents))
        await this.#unblock(node, latest)
      await this.#delete(node, latest, "Foreground")
      return
    }
    const finalizers = latest.metadata.finalizers ?? []
    const policy: Policy = finalizers.includes(orphanFinalizer)
      ? "Orphan"
      : finalizers.includes(foregroundFinalizer)
        ? "Foreground"
        : "Background"
    await this.#delete(node, latest, policy)
  }

  /** Sets the dependents of a deleted owner free, then lets the owner go. */
  async orphan(uid: string): Promise<void> {
    const node = this.#graph.get(uid)
    if (!node) return
    for (const dependent of [...node.dependents.values()]) {
      const latest = await this.#live(this.#kindOf(dependent), dependent.identity)
      if (latest && latest.metadata.uid === dependent.identity.uid)
        await this.#dropOwners(dependent, latest, new Set([uid]))
    }
    await this.#removeFinalizer(node, orphanFinalizer)
  }

  /** As it is served now: of one that is not, it cannot be told whether its objects exist. */
  #kindOf({ identity }: GraphNode): Kind | undefined {
    return this.#resolve(identity.apiVersion, identity.kindName)
  }

  async #live(
    kind: Kind | undefined,
    ref: { namespace: string | undefined; name: string },
  ): Promise<KubeObject | undefined> {
    if (!kind) return undefined
    try {
      const { namespace, name } = ref
      const target = kind.namespaced ? { namespace, name } : { name }
      return await this.#ctx.client.get<KubeObject>(kind, target, { signal: this.#ctx.signal })
    } catch (thrown) {
      if (isNotFound(thrown)) return undefined
      throw thrown
    }
  }

  async #classify(
    node: GraphNode,
    refs: readonly OwnerReference[],
  ): Promise<{ solid: OwnerReference[]; gone: OwnerReference[]; waiting: OwnerReference[] }> {
    const out = {
      solid: [] as OwnerReference[],
      gone: [] as OwnerReference[],
      waiting: [] as OwnerReference[],
    }
    for (const ref of refs) {
      const kind = this.#resolve(ref.apiVersion, ref.kind)
      const namespace = kind && !kind.namespaced ? undefined : node.identity.namespace
      const place = {
        apiVersion: ref.apiVersion,
        kindName: ref.kind,
        namespace,
        name: ref.name,
        uid: ref.uid,
      }
      if (this.#absent.has(coordinates(place))) {
        out.gone.push(ref)
        continue
      }
      if (!kind) throw new UnknownKindError(ref.apiVersion, ref.kind)
      if (kind.namespaced && !node.identity.namespace) {
        // Not a valid reference; whether the owner exists cannot be told, so nothing is deleted for it.
        out.solid.push(ref)
        continue
      }
      const owner = await this.#live(kind, { namespace, name: ref.name })
      if (!owner || owner.metadata.uid !== ref.uid) {
        this.markAbsent(place)
        out.gone.push(ref)
      } else if (
        owner.metadata.deletionTimestamp &&
        owner.metadata.finalizers?.includes(foregroundFinalizer)
      ) {
        out.waiting.push(ref)
      } else out.solid.push(ref)
    }
    return out
  }

  async #finishForeground(node: GraphNode, latest: KubeObject): Promise<void> {
    const blocking = this.#graph.blocking(node)
    if (blocking.length === 0) {
      if (latest.metadata.finalizers?.includes(foregroundFinalizer))
        await this.#removeFinalizer(node, foregroundFinalizer)
      return
    }
    this.#enqueue({ examine: blocking.filter((one) => !one.deletingDependents), orphan: [], invalid: [] })
  }

  #ref(node: GraphNode): { namespace: string | undefined; name: string } {
    const { namespace, name } = node.identity
    return { namespace, name }
  }

  async #delete(node: GraphNode, latest: KubeObject, propagationPolicy: Policy): Promise<void> {
    const { uid, resourceVersion } = latest.metadata
    const { client, signal, log } = this.#ctx
    log.debug("Deleting an object whose owners are gone", {
      object: `${node.identity.kindName} ${node.identity.namespace ?? ""}/${node.identity.name}`,
      propagationPolicy,
    })
    try {
      // The version is part of the condition: an owner added meanwhile keeps the object.
      await client.delete(node.identity.kind!, this.#ref(node), {
        propagationPolicy,
        preconditions: { uid, resourceVersion },
        signal,
      })
    } catch (thrown) {
      if (!isNotFound(thrown)) throw thrown
    }
  }

  async #patch(node: GraphNode, latest: KubeObject, metadata: Record<string, unknown>): Promise<void> {
    const { uid, resourceVersion } = latest.metadata
    const body = { metadata: { uid, resourceVersion, ...metadata } }
    try {
      await this.#ctx.client.patch(node.identity.kind!, this.#ref(node), "merge", body, {
        signal: this.#ctx.signal,
      })
    } catch (thrown) {
      if (!isNotFound(thrown)) throw thrown
    }
  }

  async #dropOwners(node: GraphNode, latest: KubeObject, uids: ReadonlySet<string>): Promise<void> {
    const refs = latest.metadata.ownerReferences ?? []
    const ownerReferences = refs.filter((ref) => !uids.has(ref.uid))
    if (ownerReferences.length === refs.length) return
    await this.#patch(node, latest, { ownerReferences: ownerReferences.length > 0 ? ownerReferences : null })
  }

  async #unblock(node: GraphNode, latest: KubeObject): Promise<void> {
    const refs = latest.metadata.ownerReferences ?? []
    await this.#patch(node, latest, {
      ownerReferences: refs.map((ref) => ({ ...ref, blockOwnerDeletion: false })),
    })
  }

  async #removeFinalizer(node: GraphNode, finalizer: string): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      const latest = await this.#live(this.#kindOf(node), this.#ref(node))
      if (!latest || latest.metadata.uid !== node.identity.uid) return
      const finalizers = latest.metadata.finalizers?.filter((one) => one !== finalizer) ?? []
      if (finalizers.length === (latest.metadata.finalizers?.length ?? 0)) return
      try {
        await this.#patch(node, latest, { finalizers: finalizers.length > 0 ? finalizers : null })
        return
      } catch (thrown) {
        if (!isConflict(thrown) || attempt >= 4) throw thrown
      }
    }
  }
}

function coordinates({ apiVersion, kindName, namespace, name, uid }: Omit<Identity, "kind">): string {
  return `${apiVersion}|${kindName}|${namespace ?? ""}|${name}|${uid}`
}

/** An owner reference names a kind that the cluster does not serve (yet). */
export class UnknownKindError extends Error {
  constructor(apiVersion: string, kind: string) {
    super(`unable to find the resource of kind ${kind} in ${apiVersion}`)
    this.name = "UnknownKindError"
  }
}
