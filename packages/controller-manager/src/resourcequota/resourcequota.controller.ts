/** Keeps the usage of resource quotas. Mirrors: pkg/controller/resourcequota */
import { resourceQuota, type ResourceQuota } from "@knarr/api"
import { refOf, semanticEqual, type Kind, type KubeObject } from "@knarr/apimachinery"
import { allow, defineController, recordEvents, type Cache, type Controller } from "@knarr/controller-kit"
import { storedKinds } from "../workload/served-kinds.ts"
import { usedBy } from "./usage.ts"

/** `kinds`: the built-in kinds whose objects can be limited. */
export function createResourceQuotaController(kinds: readonly Kind[]): Controller {
  const counted = storedKinds(kinds).filter(
    (kind) => kind.namespaced && kind.kind !== "Event" && kind.verbs.includes("watch"),
  )
  return defineController<ResourceQuota>({
    name: "resourcequota-controller",
    aliases: ["resourcequota"],
    serviceAccount: "resourcequota-controller",
    rbac: [allow("*", "*", "list watch"), allow("", "resourcequotas/status", "update"), recordEvents],
    for: resourceQuota,
    watches: counted.map((kind) => ({
      kind,
      map: ({ metadata }: KubeObject, cache: Cache) =>
        cache.list(resourceQuota, { namespace: metadata.namespace }).map(refOf),
    })),
    async reconcile(ref, { cache, client, clock, signal }) {
      const quota = cache.get(resourceQuota, ref)
      if (!quota) return
      const relevant = counted.filter((kind) => limits(quota, kind))
      const objects = relevant.flatMap((kind) =>
        cache.list<KubeObject>(kind, { namespace: ref.namespace }).map((obj) => [kind, obj] as const),
      )
      const status = { hard: { ...quota.spec.hard }, used: usedBy(quota, objects, clock.now()) }
      if (semanticEqual(status, quota.status)) return
      await client.update(resourceQuota, { ...quota, status }, { subresource: "status", signal })
    },
  })
}

/** False when no limit of the quota can concern the kind. */
function limits(quota: ResourceQuota, kind: Kind): boolean {
  if (kind.group === "" && ["Pod", "PersistentVolumeClaim"].includes(kind.kind)) return true
  const count = kind.group === "" ? `count/${kind.plural}` : `count/${kind.plural}.${kind.group}`
  const names = Object.keys(quota.spec.hard ?? {})
  return names.some(
    (name) =>
      name === count || (kind.group === "" && (name === kind.plural || name.startsWith(`${kind.plural}.`))),
  )
}
