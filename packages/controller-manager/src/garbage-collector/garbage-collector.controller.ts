/** The garbage collector: watches every kind, deletes what has lost its owners. Mirrors: pkg/controller/garbagecollector */
import { isConflict, isNotFound, type Kind, type KubeObject } from "@knarr/apimachinery"
import { TimeoutError, together, withTimeout } from "@knarr/base"
import {
  createWorkQueue,
  type Informer,
  type InformerLease,
  type ServedKinds,
  type WorkQueue,
} from "@knarr/client"
import {
  allow,
  defineController,
  recordEvents,
  type Controller,
  type ReconcileContext,
} from "@knarr/controller-kit"
import { Collector, UnknownKindError } from "./collector.ts"
import { OwnerGraph, type Work } from "./graph.ts"

const workers = 20
/** How long kinds may take to be read before collecting begins without them, as upstream. */
const readLimitMs = 30_000

/** Events are many, and owned by nobody. */
function isMonitored({ kind, verbs }: Kind): boolean {
  return kind !== "Event" && (["list", "watch", "delete"] as const).every((verb) => verbs.includes(verb))
}

export const garbageCollector: Controller = defineController({
  name: "garbage-collector-controller",
  aliases: ["garbagecollector"],
  serviceAccount: "generic-garbage-collector",
  rbac: [allow("*", "*", "get list watch patch update delete"), recordEvents],
  async run(ctx) {
    await new Monitors(ctx, ctx.lease).run()
  },
})

type Lease = <K extends KubeObject>(kind: Kind<K>) => InformerLease<K>

class Monitors {
  readonly #ctx: ReconcileContext
  readonly #lease: Lease
  readonly #served: ServedKinds
  readonly #graph: OwnerGraph
  readonly #collector: Collector
  readonly #queue: WorkQueue & Disposable
  /** By kind id. */
  readonly #informers = new Map<string, Informer<KubeObject>>()
  readonly #ends = new Map<string, Disposable>()

  constructor(ctx: ReconcileContext, lease: Lease) {
    this.#ctx = ctx
    this.#lease = lease
    this.#served = ctx.served
    const resolve = (apiVersion: string, kind: string): Kind | undefined => ctx.served.find(apiVersion, kind)
    this.#graph = new OwnerGraph(resolve)
    this.#queue = createWorkQueue(ctx, "garbage_collector_attempt_to_delete")
    this.#collector = new Collector(ctx, this.#graph, resolve, (work) => this.#enqueue(work))
  }

  async run(): Promise<void> {
    const { signal } = this.#ctx
    try {
      using _kinds = this.#served.subscribe({
        added: (kind) => this.#watch(kind),
        removed: (kind) => this.#unwatch(kind),
      })
      await this.#untilRead()
      await Promise.all(Array.from({ length: workers }, () => this.#work(signal)))
    } finally {
      for (const end of this.#ends.values()) end[Symbol.dispose]()
      this.#queue[Symbol.dispose]()
    }
  }

  /** Before all is known, every owner of a kind that is still being read would look absent. */
  async #untilRead(): Promise<void> {
    const { clock, log, signal } = this.#ctx
    try {
      await withTimeout(clock, readLimitMs, "all kinds to be read", signal, async (limited) => {
        for (const informer of this.#informers.values()) await informer.waitForSync(limited)
      })
    } catch (thrown) {
      if (!(thrown instanceof TimeoutError)) throw thrown
      const kinds = [...this.#informers.values()].flatMap(({ synced, kind }) => (synced ? [] : kind.id))
      log.warn("Collecting begins before all kinds are read", { kinds: kinds.join(" ") })
    }
  }

  #watch(kind: Kind): void {
    if (!isMonitored(kind)) return
    const lease = this.#lease<KubeObject>(kind)
    this.#informers.set(kind.id, lease.informer)
    const subscription = lease.informer.subscribe({
      added: (obj) => this.#enqueue(this.#graph.upsert(kind, obj, undefined)),
      updated: (obj, old) => {
        // The same name, but another object: the old one is gone.
        if (obj.metadata.uid !== old.metadata.uid) this.#gone(old)
        this.#enqueue(this.#graph.upsert(kind, obj, obj.metadata.uid === old.metadata.uid ? old : undefined))
      },
      deleted: (obj) => this.#gone(obj),
    })
    this.#ends.set(kind.id, together(lease, subscription))
  }

  #unwatch(kind: Kind): void {
    this.#informers.delete(kind.id)
    this.#ends.get(kind.id)?.[Symbol.dispose]()
    this.#ends.delete(kind.id)
    this.#graph.forget(kind)
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
