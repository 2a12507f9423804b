/** Keeps the usage of resource quotas. Mirrors: pkg/controller/resourcequota */
import { customResourceDefinition, resourceQuota, type ResourceQuota } from "@knarr/api"
import { parseQuantity, refOf, semanticEqual, type Kind, type KubeObject } from "@knarr/apimachinery"
import {
  allow,
  defineController,
  recordEvents,
  type Cache,
  type Controller,
  type ReconcileContext,
} from "@knarr/controller-kit"
import { countsAgainst, usedBy } from "@knarr/pod-rules"
import { customKinds, storedKinds } from "../workload/served-kinds.ts"

/**
 * The API server charges a quota just before it stores the object. Less than what is charged is believed only
 * when no charge came for this long, in milliseconds.
 */
const settleMs = 250
/** How often custom resources, which no informer follows, are counted. */
const customCountMs = 5000
/** Objects in one page of a list of custom resources. */
const pageSize = 500

/** `kinds`: the built-in kinds whose objects can be limited. */
export function createResourceQuotaController(kinds: readonly Kind[]): Controller {
  const counted = storedKinds(kinds).filter(
    (kind) => kind.namespaced && kind.kind !== "Event" && kind.verbs.includes("watch"),
  )
  /** By uid: the state of a quota that seemed to be charged for too much, and since when. */
  const doubtful = new Map<string, { readonly version: string; readonly sinceMs: number }>()
  return defineController<ResourceQuota>({
    name: "resourcequota-controller",
    queueName: "resourcequota_primary",
    aliases: ["resourcequota"],
    serviceAccount: "resourcequota-controller",
    rbac: [allow("*", "*", "list watch"), allow("", "resourcequotas/status", "update"), recordEvents],
    for: resourceQuota,
    reads: [customResourceDefinition],
    watches: counted.map((kind) => ({
      kind,
      map: ({ metadata }: KubeObject, cache: Cache) =>
        cache.list(resourceQuota, { namespace: metadata.namespace }).map(refOf),
    })),
    async reconcile(ref, context) {
      const { cache, client, clock, signal } = context
      const quota = cache.get(resourceQuota, ref)
      if (!quota) return undefined
      const names = Object.keys(quota.spec.hard ?? {})
      const relevant = counted.filter((kind) => names.some((name) => countsAgainst(kind, name)))
      const objects = relevant.flatMap((kind) =>
        cache.list<KubeObject>(kind, { namespace: ref.namespace }).map((obj) => [kind, obj] as const),
      )
      const custom = customKinds(cache).filter(
        (kind) => kind.namespaced && names.some((name) => countsAgainst(kind, name)),
      )
      for (const kind of custom) objects.push(...(await listCustom(kind, ref.namespace!, context)))
      const later = custom.length > 0 ? { afterMs: customCountMs } : undefined
      const status = { hard: { ...quota.spec.hard }, used: usedBy(quota, objects, clock.now()) }
      const { uid, resourceVersion: version } = quota.metadata
      if (semanticEqual(status, quota.status)) {
        doubtful.delete(uid)
        return later
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
      return later
    },
  })
}

async function listCustom(
  kind: Kind,
  namespace: string,
  { client, signal }: ReconcileContext,
): Promise<(readonly [Kind, KubeObject])[]> {
  const out: (readonly [Kind, KubeObject])[] = []
  let next: string | undefined
  do {
    const page = await client.list(kind, { namespace, limit: pageSize, continue: next, signal })
    for (const item of page.items) out.push([kind, item])
    next = page.metadata.continue
  } while (next)
  return out
}

function isLess(
  used: Readonly<Record<string, string>>,
  charged: Readonly<Record<string, string>> | undefined,
): boolean {
  return Object.entries(charged ?? {}).some(([name, amount]) => {
    const now = used[name]
    return now !== undefined && parseQuantity(now).compare(parseQuantity(amount)) < 0
  })
}
