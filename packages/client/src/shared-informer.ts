/** Informers: one copy per kind and selector, shared by all who ask. */
import { abortable, deferred, type Env, type Scope } from "@knarr/base"
import type { Kind, KubeObject } from "@knarr/apimachinery"
import type { Client, Ref } from "./client.ts"
import {
  ownerIndex,
  type IndexFunction,
  type Informer,
  type InformerFactory,
  type InformerHandler,
  type InformerSelection,
} from "./informer.ts"
import { runReflector, type ReflectorTarget } from "./reflector.ts"

const namespaceIndex = "namespace"

export interface InformerFactoryOptions {
  readonly client: Client
  /** Informers run as its tasks. */
  readonly scope: Scope
  readonly env: Env
  /** See `ReflectorOptions`; for clients that speak to a server on the network. */
  readonly streamsInitial?: boolean
}

/** One informer of a factory. It has a scope of its own, so that it can end before the others. */
interface Shared {
  readonly informer: SharedInformer<any>
  readonly scope: Scope
  leases: number
  isKept: boolean
}

export function createInformerFactory(options: InformerFactoryOptions): InformerFactory {
  const { client, env, scope, streamsInitial } = options
  const all = new Map<string, Shared>()

  const share = (kind: Kind, selection: InformerSelection = {}): readonly [string, Shared] => {
    const { namespace, fieldSelector, labelSelector } = selection
    const id = `${kind.id}|${namespace ?? ""}|${fieldSelector ?? ""}|${labelSelector ?? ""}`
    let shared = all.get(id)
    if (!shared) {
      const target = new SharedInformer<any>(kind, env)
      const child = scope.child(`informer ${kind.plural}`)
      const reflector = { client, kind, env, namespace, fieldSelector, labelSelector, streamsInitial, target }
      child.run("reflector", (signal) => runReflector(reflector, signal), { restart: true })
      shared = { informer: target, scope: child, leases: 0, isKept: false }
      all.set(id, shared)
    }
    return [id, shared]
  }

  return {
    informer<T extends KubeObject>(kind: Kind<T>, selection?: InformerSelection) {
      const [, shared] = share(kind, selection)
      shared.isKept = true
      return shared.informer as SharedInformer<T>
    },
    lease<T extends KubeObject>(kind: Kind<T>, selection?: InformerSelection) {
      const [id, shared] = share(kind, selection)
      shared.leases++
      let isHeld = true
      return {
        informer: shared.informer as SharedInformer<T>,
        [Symbol.dispose]() {
          if (!isHeld) return
          isHeld = false
          if (--shared.leases > 0 || shared.isKept) return
          all.delete(id)
          scope.run(`end of ${shared.scope.name}`, () => shared.scope.close(), { contained: true })
          shared.informer.end()
        },
      }
    },
    async waitForSync(signal) {
      for (const { informer } of all.values()) await informer.waitForSync(signal)
    },
  }
}

interface Index<T> {
  readonly fn: IndexFunction<T>
  readonly entries: Map<string, Map<string, T>>
}

/** One copy; `replace`, `changed` and `deleted` feed it. */
export class SharedInformer<T extends KubeObject> implements Informer<T>, ReflectorTarget<T> {
  readonly kind: Kind<T>
  readonly #env: Env
  readonly #objects = new Map<string, T>()
  readonly #indexes = new Map<string, Index<T>>()
  readonly #handlers = new Set<InformerHandler<T>>()
  readonly #sync = deferred()
  synced = false
  revision = 0

  constructor(kind: Kind<T>, env: Env) {
    this.kind = kind
    this.#env = env
    this.addIndex(namespaceIndex, (obj) => (obj.metadata.namespace ? [obj.metadata.namespace] : []))
    this.addIndex(ownerIndex, (obj) => {
      const owner = obj.metadata.ownerReferences?.find((ref) => ref.controller)
      return owner ? [owner.uid] : []
    })
  }

  // ── reading ──

  get(ref: Ref): T | undefined {
    return this.#objects.get(keyOf(ref))
  }

  list(namespace?: string): readonly T[] {
    return namespace ? this.byIndex(namespaceIndex, namespace) : [...this.#objects.values()]
  }

  byIndex(name: string, value: string): readonly T[] {
    const index = this.#indexes.get(name)
    if (!index) throw new Error(`Cannot read index "${name}" of ${this.kind.plural}: there is none`)
    const found = index.entries.get(value)
    return found ? [...found.values()] : []
  }

  addIndex(name: string, fn: IndexFunction<T>): void {
    if (this.#indexes.has(name)) return
    const index: Index<T> = { fn, entries: new Map() }
    this.#indexes.set(name, index)
    for (const [key, obj] of this.#objects) this.#call(() => put(index, key, obj))
  }

  waitForSync(signal: AbortSignal): Promise<void> {
    return this.synced ? Promise.resolve() : abortable(this.#sync.promise, signal)
  }

  subscribe(handler: InformerHandler<T>): Disposable {
    this.#handlers.add(handler)
    for (const obj of this.#objects.values()) this.#call(() => handler.added?.(obj))
    return { [Symbol.dispose]: () => void this.#handlers.delete(handler) }
  }

  // ── following ──

  replace(items: readonly T[], resourceVersion?: string): void {
    const gone = new Set(this.#objects.keys())
    for (const obj of items) {
      gone.delete(keyOf(obj.metadata))
      this.changed(obj)
    }
    for (const key of gone) this.deleted(this.#objects.get(key)!)
    this.progressed(resourceVersion)
    this.synced = true
    this.#sync.resolve()
  }

  progressed(resourceVersion: string | undefined): void {
    const revision = Number(resourceVersion)
    // NaN, of what has none, is no progress.
    if (revision > this.revision) this.revision = revision
  }

  changed(obj: T): void {
    this.progressed(obj.metadata.resourceVersion)
    const key = keyOf(obj.metadata)
    const old = this.#objects.get(key)
    if (
      old?.metadata.resourceVersion === obj.metadata.resourceVersion &&
      old.metadata.uid === obj.metadata.uid
    )
      return
    // Deleted and made again between two lists: handlers must hear of both.
    if (old && old.metadata.uid !== obj.metadata.uid) {
      this.deleted(old)
      return this.changed(obj)
    }
    this.#objects.set(key, obj)
    for (const index of this.#indexes.values()) {
      this.#call(() => {
        if (old) remove(index, key, old)
        put(index, key, obj)
      })
    }
    for (const handler of this.#handlers)
      this.#call(() => (old ? handler.updated?.(obj, old) : handler.added?.(obj)))
  }

  deleted(obj: T): void {
    this.progressed(obj.metadata.resourceVersion)
    const key = keyOf(obj.metadata)
    const old = this.#objects.get(key)
    if (!old) return
    this.#objects.delete(key)
    for (const index of this.#indexes.values()) this.#call(() => remove(index, key, old))
    for (const handler of this.#handlers) this.#call(() => handler.deleted?.(obj))
  }

  /** Lets go of everything; nobody is told. */
  end(): void {
    this.#handlers.clear()
    this.#objects.clear()
    this.#indexes.clear()
  }

  /** The failure of a handler or an index over one object must not stop the others, nor the watch. */
  #call(fn: () => void): void {
    try {
      fn()
    } catch (thrown) {
      this.#env.log.error("An informer's handler failed", thrown, { kind: this.kind.kind })
    }
  }
}

function keyOf(ref: Ref): string {
  return ref.namespace ? `${ref.namespace}/${ref.name}` : ref.name
}

function put<T>(index: Index<T>, key: string, obj: T): void {
  for (const value of index.fn(obj)) {
    let entry = index.entries.get(value)
    if (!entry) index.entries.set(value, (entry = new Map()))
    entry.set(key, obj)
  }
}

function remove<T>(index: Index<T>, key: string, obj: T): void {
  for (const value of index.fn(obj)) {
    const entry = index.entries.get(value)
    entry?.delete(key)
    if (entry?.size === 0) index.entries.delete(value)
  }
}
