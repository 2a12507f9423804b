/** The garbage collector: watches every kind, deletes what has lost its owners. Mirrors: pkg/controller/garbagecollector */
import { customResourceDefinition, type CustomResourceDefinition } from "@knarr/api"
import { isConflict, isNotFound, type Kind, type KubeObject } from "@knarr/apimachinery"
import { createWorkQueue, type Informer, type WorkQueue } from "@knarr/client"
import {
  allow,
  defineController,
  groupOf,
  perRun,
  recordEvents,
  type Controller,
  type ReconcileContext,
} from "@knarr/controller-kit"
import { customKinds, storedKinds } from "../workload/served-kinds.ts"
import { Collector, UnknownKindError } from "./collector.ts"
import { OwnerGraph, type Work } from "./graph.ts"

const workers = 20
const isIgnored = (kind: Kind): boolean => kind.kind === "Event"

/** `kinds`: the built-in kinds; custom ones are found through their definitions. */
export function createGarbageCollector(kinds: readonly Kind[]): Controller {
  const builtIn = storedKinds(kinds).filter((kind) => kind.verbs.includes("watch") && !isIgnored(kind))
  const stateOf = perRun((ctx) => new Monitors(ctx, kinds))
  return defineController<CustomResourceDefinition>({
    name: "garbage-collector-controller",
    aliases: ["garbagecollector"],
    serviceAccount: "generic-garbage-collector",
    rbac: [allow("*", "*", "get list watch patch update delete"), recordEvents],
    for: customResourceDefinition,
    workers: 1,
    // A definition was established or removed: its objects are watched from now on.
    async reconcile(_ref, ctx) {
      stateOf(ctx).watchCustom()
    },
    async run(ctx) {
      await stateOf(ctx).run(builtIn, ctx.informer, ctx.signal)
    },
  })
}

type InformerOf = <K extends KubeObject>(kind: Kind<K>) => Informer<K>

class Monitors {
  readonly #ctx: ReconcileContext
  readonly #byApi = new Map<string, Kind>()
  readonly #watched = new Set<string>()
  readonly #graph: OwnerGraph
  readonly #collector: Collector
  readonly #queue: WorkQueue & Disposable
  readonly #subscriptions: Disposable[] = []
  #informer: InformerOf | undefined

  constructor(ctx: ReconcileContext, kinds: readonly Kind[]) {
    this.#ctx = ctx
    for (const kind of kinds) this.#byApi.set(`${kind.apiVersion}/${kind.kind}`, kind)
    const resolve = (apiVersion: string, kind: string): Kind | undefined =>
      this.#byApi.get(`${apiVersion}/${kind}`) ?? this.#byApi.get(`${groupOf(apiVersion)}|${kind}`)
    this.#graph = new OwnerGraph(resolve)
    this.#queue = createWorkQueue(ctx, "garbage_collector_attempt_to_delete")
    this.#collector = new Collector(ctx, this.#graph, resolve, (work) => this.#enqueue(work))
  }

  async run(builtIn: readonly Kind[], informer: InformerOf, signal: AbortSignal): Promise<void> {
    this.#informer = informer
    try {
      const informers = builtIn.map((kind) => this.#watch(kind))
      // Before all is known, every owner of a kind that is still being read would look absent.
      for (const one of informers) await one.waitForSync(signal)
      this.watchCustom()
      await Promise.all(Array.from({ length: workers }, () => this.#work(signal)))
    } finally {
      for (const subscription of this.#subscriptions.splice(0)) subscription[Symbol.dispose]()
      this.#watched.clear()
      this.#queue[Symbol.dispose]()
    }
  }

  watchCustom(): void {
    if (!this.#informer) return
    for (const kind of customKinds(this.#ctx.cache)) {
      // Any version of a custom kind stands for the same objects.
      this.#byApi.set(`${kind.group}|${kind.kind}`, kind)
      if (!this.#watched.has(kindId(kind))) this.#watch(kind)
    }
  }

  #watch(kind: Kind): Informer<KubeObject> {
    this.#watched.add(kindId(kind))
    const informer = this.#informer!<KubeObject>(kind)
    this.#subscriptions.push(
      informer.subscribe({
        added: (obj) => this.#enqueue(this.#graph.upsert(kind, obj, undefined)),
        updated: (obj, old) => {
          // The same name, but another object: the old one is gone.
          if (obj.metadata.uid !== old.metadata.uid) this.#gone(old)
          this.#enqueue(
            this.#graph.upsert(kind, obj, obj.metadata.uid === old.metadata.uid ? old : undefined),
          )
        },
        deleted: (obj) => this.#gone(obj),
      }),
    )
    return informer
  }

  #gone(obj: KubeObject): void {
    const { uid } = obj.metadata
    const node = this.#graph.get(uid)
    if (node && node.dependents.size > 0) this.#collector.markAbsent(node.identity)
    this.#enqueue(this.#graph.remove(uid))
  }

  #enqueue(work: Work): void {
    for (const node of work.examine) this.#queue.add(`examine/${node.identity.uid}`)
    for (const node of work.orphan) this.#queue.add(`orphan/${node.identity.uid}`)
    for (const { node, owner } of work.invalid) {
      const { apiVersion, kindName, namespace, name, uid } = node.identity
      const text = `[${owner.apiVersion}/${owner.kind}, namespace: ${namespace ?? ""}, name: ${owner.name}, uid: ${owner.uid}]`
      const message = `ownerRef ${text} does not exist in namespace "${namespace ?? ""}"`
      const about = { apiVersion, kind: kindName, metadata: { namespace, name, uid } }
      this.#ctx.recorder.event(about, "Warning", "OwnerRefInvalidNamespace", message)
    }
  }

  async #work(signal: AbortSignal): Promise<void> {
    for (;;) {
      const key = await this.#queue.get(signal)
      const uid = key.slice(key.indexOf("/") + 1)
      try {
        if (key.startsWith("orphan/")) await this.#collector.orphan(uid)
        else await this.#collector.examine(uid)
        this.#queue.forget(key)
      } catch (thrown) {
        if (signal.aborted) throw thrown
        const quiet = isConflict(thrown) || isNotFound(thrown) || thrown instanceof UnknownKindError
        if (!quiet) this.#ctx.log.error("Collecting an object failed and is tried again", thrown, { uid })
        this.#queue.addRateLimited(key)
      } finally {
        this.#queue.done(key)
      }
    }
  }
}

function kindId(kind: Kind): string {
  return `${kind.apiVersion}/${kind.plural}`
}
