/** Keeps the usage of resource quotas. Mirrors: pkg/controller/resourcequota */
import { resourceQuota, type ResourceQuota } from "@knarr/api"
import { parseQuantity, refOf, semanticEqual, type Kind, type KubeObject } from "@knarr/apimachinery"
import { together } from "@knarr/base"
import type { Informer, InformerLease } from "@knarr/client"
import {
  allow,
  defineController,
  perRun,
  recordEvents,
  untilAborted,
  type Controller,
} from "@knarr/controller-kit"
import { countsAgainst, usedBy } from "@knarr/pod-rules"

/**
 * The API server charges a quota just before it stores the object. Less than what is charged is believed only
 * when no charge came for this long, in milliseconds.
 */
const settleMs = 250
/** How soon it is looked again while objects that count are still being read. */
const readingMs = 100

/** The objects that can be limited, of every kind that is served. */
class Counted {
  readonly #leases = new Map<string, Disposable>()
  readonly #informers = new Map<string, Informer<KubeObject>>()

  add(kind: Kind, lease: InformerLease<KubeObject>, changed: (namespace: string | undefined) => void): void {
    const each = ({ metadata }: KubeObject): void => changed(metadata.namespace)
    const subscription = lease.informer.subscribe({ added: each, updated: each, deleted: each })
    this.#leases.set(kind.id, together(lease, subscription))
    this.#informers.set(kind.id, lease.informer)
  }

  remove(kind: Kind): void {
    this.#informers.delete(kind.id)
    this.#leases.get(kind.id)?.[Symbol.dispose]()
    this.#leases.delete(kind.id)
  }

  clear(): void {
    for (const lease of this.#leases.values()) lease[Symbol.dispose]()
    this.#leases.clear()
    this.#informers.clear()
  }

  /** What counts against one of the names in a namespace; undefined while that is not known yet. */
  objects(names: readonly string[], namespace: string): (readonly [Kind, KubeObject])[] | undefined {
    const out: (readonly [Kind, KubeObject])[] = []
    for (const informer of this.#informers.values()) {
      const { kind, synced } = informer
      if (!names.some((name) => countsAgainst(kind, name))) continue
      if (!synced) return undefined
      for (const obj of informer.list(namespace)) out.push([kind, obj])
    }
    return out
  }
}

function isCounted({ namespaced, kind, verbs }: Kind): boolean {
  return namespaced && kind !== "Event" && verbs.includes("list") && verbs.includes("watch")
}

interface State {
  readonly counted: Counted
  /** By uid: the state of a quota that seemed to be charged for too much, and since when. */
  readonly doubtful: Map<string, { readonly version: string; readonly sinceMs: number }>
}

const stateOf = perRun((): State => ({ counted: new Counted(), doubtful: new Map() }))

export const resourceQuotaController: Controller = defineController<ResourceQuota>({
  name: "resourcequota-controller",
  queueName: "resourcequota_primary",
  aliases: ["resourcequota"],
  serviceAccount: "resourcequota-controller",
  rbac: [allow("*", "*", "list watch"), allow("", "resourcequotas/status", "update"), recordEvents],
  for: resourceQuota,
  async run(ctx) {
    const { counted } = stateOf(ctx)
    const changed = (namespace: string | undefined): void => {
      for (const quota of ctx.cache.list(resourceQuota, { namespace })) ctx.enqueue(refOf(quota))
    }
    try {
      using _kinds = ctx.served.subscribe({
        added(kind) {
          if (isCounted(kind)) counted.add(kind, ctx.lease<KubeObject>(kind), changed)
        },
        removed: (kind) => counted.remove(kind),
      })
      await untilAborted(ctx.signal)
    } finally {
      counted.clear()
    }
  },
  async reconcile(ref, ctx) {
    const { cache, client, clock, signal } = ctx
    const { counted, doubtful } = stateOf(ctx)
    const quota = cache.get(resourceQuota, ref)
    if (!quota) return undefined
    const objects = counted.objects(Object.keys(quota.spec.hard ?? {}), ref.namespace!)
    if (!objects) return { afterMs: readingMs }
    const status = { hard: { ...quota.spec.hard }, used: usedBy(quota, objects, clock.now()) }
    const { uid, resourceVersion: version } = quota.metadata
    if (semanticEqual(status, quota.status)) {
      doubtful.delete(uid)
      return undefined
    }
    if (isLess(status.used, quota.status?.used)) {
      const known = doubtful.get(uid)
      const sinceMs = known?.version === version ? known.sinceMs : clock.now()
      const leftMs = sinceMs + settleMs - clock.now()
      if (leftMs > 0) {
        doubtful.set(uid, { version, sinceMs })
        return { afterMs: leftMs }
      }
    }
    doubtful.delete(uid)
    await client.update(resourceQuota, { ...quota, status }, { subresource: "status", signal })
    return undefined
  },
})

function isLess(
  used: Readonly<Record<string, string>>,
  charged: Readonly<Record<string, string>> | undefined,
): boolean {
  return Object.entries(charged ?? {}).some(([name, amount]) => {
    const now = used[name]
    return now !== undefined && parseQuantity(now).compare(parseQuantity(amount)) < 0
  })
}
