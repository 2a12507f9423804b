/**
 * What a controller wrote and its cache has not seen yet: who decides from such a cache decides twice. A Job's status that is
 * behind its pods makes a pod too many.
 * Mirrors: pkg/controller/util/consistency/consistency.go
 */
import { controllerOf, refKey, refOf, type Kind, type KubeObject } from "@knarr/apimachinery"
import { entryOf, type Clock } from "@knarr/base"
import type { Client, Informer, Ref } from "@knarr/client"
import { refersToKind } from "./controller-ref.ts"
import type { Controller } from "./controller.ts"

/** A cache that is still behind then is one of a store that was set back: its numbers say nothing any more. */
const limitMs = 30_000

interface Write {
  readonly revision: number
  readonly atMs: number
}

export class OwnWrites {
  readonly #clock: Clock
  readonly #main: Kind | undefined
  readonly #owned: ReadonlySet<string>
  /** By key of the main object, then by the written kind's id. */
  readonly #writes = new Map<string, Map<string, Write>>()

  constructor(controller: Controller, clock: Clock) {
    this.#clock = clock
    this.#main = controller.for
    this.#owned = new Set((controller.owns ?? []).map(({ id }) => id))
  }

  /** `client`, whose writes of the main kind and of what it owns are noted. */
  noting(client: Client): Client {
    const note = async <T>(kind: Kind, written: Promise<T>): Promise<T> => {
      const result = await written
      this.#note(kind, result as KubeObject)
      return result
    }
    return {
      get: (...args) => client.get(...args),
      list: (...args) => client.list(...args),
      watch: (...args) => client.watch(...args),
      create: (kind, ...args) => note(kind as Kind, client.create(kind, ...args)),
      update: (kind, ...args) => note(kind as Kind, client.update(kind, ...args)),
      patch: (kind, ...args) => note(kind as Kind, client.patch(kind, ...args)),
      delete: (...args) => client.delete(...args),
      deleteCollection: (...args) => client.deleteCollection(...args),
      createSubresource: (...args) => client.createSubresource(...args),
      getSubresource: (...args) => client.getSubresource(...args),
      discover: (...args) => client.discover(...args),
      as: (user) => this.noting(client.as(user)),
    }
  }

  /** Whether the cache lacks something that was written for the object. */
  areAhead(ref: Ref, informerOf: (kindId: string) => Informer<KubeObject>): boolean {
    const key = refKey(ref)
    const writes = this.#writes.get(key)
    if (!writes) return false
    const now = this.#clock.monotonic()
    for (const [kindId, { revision, atMs }] of writes)
      if (informerOf(kindId).revision >= revision || now - atMs > limitMs) writes.delete(kindId)
    if (writes.size > 0) return true
    this.#writes.delete(key)
    return false
  }

  #note(kind: Kind, written: KubeObject): void {
    const main = this.#main
    if (!main || written.metadata.name === undefined) return
    const revision = Number(written.metadata.resourceVersion)
    if (Number.isNaN(revision)) return
    const ref = kind.id === main.id ? refOf(written) : this.#ownerOf(kind, written, main)
    if (ref)
      entryOf(this.#writes, refKey(ref), () => new Map<string, Write>()).set(kind.id, {
        revision,
        atMs: this.#clock.monotonic(),
      })
  }

  #ownerOf(kind: Kind, written: KubeObject, main: Kind): Ref | undefined {
    const owner = this.#owned.has(kind.id) ? controllerOf(written) : undefined
    if (!owner || !refersToKind(owner, main)) return undefined
    return { namespace: main.namespaced ? written.metadata.namespace : undefined, name: owner.name }
  }
}
