/** The read side of the informers, as controllers see it. */
import type { Kind, KubeObject } from "@knarr/apimachinery"
import { ownerIndex, type Informer, type InformerFactory, type Lister, type Ref } from "@knarr/client"
import type { Cache, Controller } from "./controller.ts"

/** Informers of the kinds that a controller declared; asking for another kind throws. */
export class ControllerCache implements Cache {
  readonly #name: string
  /** By the kind's id. */
  readonly #informers = new Map<string, Informer<any>>()

  constructor(controller: Controller, factory: InformerFactory) {
    this.#name = controller.name
    const kinds = [
      ...(controller.for ? [controller.for] : []),
      ...(controller.owns ?? []),
      ...(controller.watches ?? []).map((watch) => watch.kind),
      ...(controller.reads ?? []),
    ]
    for (const kind of kinds) {
      if (!this.#informers.has(kind.id)) this.#informers.set(kind.id, factory.informer(kind))
    }
    for (const index of controller.indexes ?? []) this.informer(index.kind).addIndex(index.name, index.fn)
  }

  informer<T extends KubeObject>(kind: Kind<T>): Informer<T> {
    const informer = this.#informers.get(kind.id)
    if (!informer)
      throw new Error(`Cannot read ${kind.plural}: the controller "${this.#name}" does not declare the kind`)
    return informer
  }

  /** The informer of a declared kind. */
  byId(kindId: string): Informer<KubeObject> {
    return this.#informers.get(kindId)!
  }

  async waitForSync(signal: AbortSignal): Promise<void> {
    for (const informer of this.#informers.values()) await informer.waitForSync(signal)
  }

  get<T extends KubeObject>(kind: Kind<T>, ref: Ref): T | undefined {
    return this.informer(kind).get(ref)
  }

  list<T extends KubeObject>(
    kind: Kind<T>,
    options: {
      readonly namespace?: string | undefined
      readonly ownedBy?: KubeObject
      readonly labels?: Readonly<Record<string, string>>
    } = {},
  ): readonly T[] {
    const informer = this.informer(kind)
    const { namespace, ownedBy, labels } = options
    let items = ownedBy ? informer.byIndex(ownerIndex, ownedBy.metadata.uid) : informer.list(namespace)
    if (ownedBy && namespace !== undefined)
      items = items.filter((obj) => obj.metadata.namespace === namespace)
    if (labels) {
      const wanted = Object.entries(labels)
      items = items.filter((obj) => wanted.every(([name, value]) => obj.metadata.labels?.[name] === value))
    }
    return items
  }

  byIndex<T extends KubeObject>(kind: Kind<T>, index: string, value: string): readonly T[] {
    return this.informer(kind).byIndex(index, value)
  }

  lister<T extends KubeObject>(kind: Kind<T>): Lister<T> {
    return this.informer(kind)
  }
}
