/** One watch of pods and one of nodes for all the kubelets of a process: each sees what is its node's. */
import { node as nodeKind, pod as podKind, type Node, type Pod } from "@knarr/api"
import type { Kind, KubeObject } from "@knarr/apimachinery"
import type { IndexFunction, Informer, InformerFactory, InformerHandler, Ref } from "@knarr/client"

const nodeIndex = "node"

/**
 * A factory for kubelets on top of one that may read everything: what a kubelet selects by its node's name comes from
 * an informer that all share, and everything else is shared as it is.
 */
export function createNodeInformers(informers: InformerFactory): InformerFactory {
  const pods = new ByNode<Pod>(
    informers.informer(podKind, { fieldSelector: "spec.nodeName!=" }),
    ({ spec }) => spec.nodeName ?? "",
  )
  const nodes = new ByNode<Node>(informers.informer(nodeKind), ({ metadata }) => metadata.name)
  const routes = [
    { kind: podKind as Kind, prefix: "spec.nodeName=", of: pods },
    { kind: nodeKind as Kind, prefix: "metadata.name=", of: nodes },
  ] as const
  const find = (kind: Kind, fieldSelector: string | undefined): Informer<never> | undefined => {
    const route = routes.find((one) => one.kind === kind && fieldSelector?.startsWith(one.prefix))
    return route?.of.view(fieldSelector!.slice(route.prefix.length)) as Informer<never> | undefined
  }
  return {
    informer: (kind, selection) =>
      find(kind as Kind, selection?.fieldSelector) ?? informers.informer(kind, selection),
    lease(kind, selection) {
      const informer = find(kind as Kind, selection?.fieldSelector)
      return informer ? { informer, [Symbol.dispose]() {} } : informers.lease(kind, selection)
    },
    waitForSync: (signal) => informers.waitForSync(signal),
  }
}

/** Hands what happens to those who asked for its node: an event costs the same however many nodes there are. */
class ByNode<T extends KubeObject> {
  readonly all: Informer<T>
  readonly #handlers = new Map<string, Set<InformerHandler<T>>>()

  constructor(all: Informer<T>, nodeOf: (obj: T) => string) {
    this.all = all
    all.addIndex(nodeIndex, (obj) => [nodeOf(obj)])
    const tell = (obj: T, call: (handler: InformerHandler<T>) => void): void =>
      this.#handlers.get(nodeOf(obj))?.forEach(call)
    all.subscribe({
      added: (obj) => tell(obj, (handler) => handler.added?.(obj)),
      updated: (obj, old) => tell(obj, (handler) => handler.updated?.(obj, old)),
      deleted: (obj) => tell(obj, (handler) => handler.deleted?.(obj)),
    })
  }

  view(node: string): Informer<T> {
    return new OneNode(this, node)
  }

  subscribe(node: string, handler: InformerHandler<T>): Disposable {
    const handlers = this.#handlers.get(node) ?? new Set()
    this.#handlers.set(node, handlers)
    handlers.add(handler)
    for (const obj of this.all.byIndex(nodeIndex, node)) handler.added?.(obj)
    return {
      [Symbol.dispose]: () => {
        handlers.delete(handler)
        if (handlers.size === 0 && this.#handlers.get(node) === handlers) this.#handlers.delete(node)
      },
    }
  }
}

class OneNode<T extends KubeObject> implements Informer<T> {
  readonly #of: ByNode<T>
  readonly #node: string

  constructor(of: ByNode<T>, node: string) {
    this.#of = of
    this.#node = node
  }

  get kind(): Kind {
    return this.#of.all.kind
  }

  get synced(): boolean {
    return this.#of.all.synced
  }

  get revision(): number {
    return this.#of.all.revision
  }

  waitForSync(signal: AbortSignal): Promise<void> {
    return this.#of.all.waitForSync(signal)
  }

  subscribe(handler: InformerHandler<T>): Disposable {
    return this.#of.subscribe(this.#node, handler)
  }

  get(ref: Ref): T | undefined {
    return this.list(ref.namespace).find(({ metadata }) => metadata.name === ref.name)
  }

  list(namespace?: string): readonly T[] {
    const found = this.#of.all.byIndex(nodeIndex, this.#node)
    return namespace ? found.filter(({ metadata }) => metadata.namespace === namespace) : found
  }

  byIndex(index: string, value: string): readonly T[] {
    const mine = new Set(this.list())
    return this.#of.all.byIndex(index, value).filter((obj) => mine.has(obj))
  }

  addIndex(name: string, fn: IndexFunction<T>): void {
    this.#of.all.addIndex(name, fn)
  }
}
