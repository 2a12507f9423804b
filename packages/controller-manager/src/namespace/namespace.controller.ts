/** Empties namespaces that are being deleted and lets them go. Mirrors: pkg/controller/namespace */
import { namespace, pod, type Namespace, type Pod } from "@knarr/api"
import {
  isConflict,
  isMethodNotSupported,
  isNotFound,
  sameResource,
  semanticEqual,
  type Kind,
  type KubeObject,
} from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import {
  allow,
  defineController,
  type Controller,
  type ReconcileContext,
  type ReconcileResult,
} from "@knarr/controller-kit"
import { deletionConditions, type DeletionFindings } from "./namespace-conditions.ts"

const finalizer = "kubernetes"

export const namespaceController: Controller = defineController<Namespace>({
  name: "namespace-controller",
  aliases: ["namespace"],
  serviceAccount: "namespace-controller",
  rbac: [
    allow("", "namespaces", "get list watch delete"),
    allow("", "namespaces/finalize namespaces/status", "update"),
    allow("*", "*", "get list watch delete deletecollection"),
  ],
  for: namespace,
  workers: 10,
  async reconcile({ name }, ctx) {
    const ns = ctx.cache.get(namespace, { name })
    return ns?.metadata.deletionTimestamp ? emptyNamespace(ns, ctx) : undefined
  },
})

async function emptyNamespace(cached: Namespace, ctx: ReconcileContext): Promise<ReconcileResult> {
  const { client, signal } = ctx
  let ns: Namespace
  try {
    ns = await client.get(namespace, { name: cached.metadata.name }, { signal })
  } catch (thrown) {
    if (isNotFound(thrown)) return undefined
    throw thrown
  }
  if (!ns.metadata.deletionTimestamp || ns.metadata.uid !== cached.metadata.uid) return undefined
  if (ns.status?.phase !== "Terminating") {
    const status = { ...ns.status, phase: "Terminating" }
    ns = await client.update(namespace, { ...ns, status }, { subresource: "status", signal })
  }
  if (!ns.spec?.finalizers?.includes(finalizer)) return undefined
  const content = await deleteContent(ns, ctx)
  const conditions = deletionConditions(ns.status?.conditions ?? [], content, ctx.clock.now())
  if (!semanticEqual(conditions, ns.status?.conditions)) {
    try {
      ns = await client.update(
        namespace,
        { ...ns, status: { ...ns.status, conditions } },
        { subresource: "status", signal },
      )
    } catch (thrown) {
      if (isNotFound(thrown)) return undefined
      if (!isConflict(thrown)) throw thrown
      ns = await client.get(namespace, { name: ns.metadata.name }, { signal })
    }
  }
  const problems = [content.discoveryFailure ?? [], content.failures].flat()
  if (problems.length > 0) throw new Error(problems.join("; "))
  // Pods get time to end; the rest waits for finalizers. Look again half-way (at least after a second).
  if (content.remaining.size > 0) return { afterMs: (Math.floor(content.estimateSeconds / 2) + 1) * 1000 }
  const finalizers = ns.spec?.finalizers?.filter((one) => one !== finalizer) ?? []
  try {
    await client.update(
      namespace,
      { ...ns, spec: { ...ns.spec, finalizers } },
      { subresource: "finalize", signal },
    )
  } catch (thrown) {
    if (!isNotFound(thrown)) throw thrown
  }
  return undefined
}

interface Content extends DeletionFindings {
  readonly estimateSeconds: number
}

/** Asks the server what there is first: what it began to serve a moment ago must not be left behind. */
async function discover({ served, signal }: ReconcileContext): Promise<string | undefined> {
  try {
    await served.refresh(signal)
  } catch (thrown) {
    signal.throwIfAborted()
    return messageOf(thrown)
  }
  const failures = [...served.failures()].map(([groupVersion, why]) => `${groupVersion}: ${why}`).sort()
  if (failures.length === 0) return undefined
  return (
    `Discovery failed for some groups, ${failures.length} failing: ` +
    `unable to retrieve the complete list of server APIs: ${failures.join(", ")}`
  )
}

async function deleteContent(ns: Namespace, ctx: ReconcileContext): Promise<Content> {
  const discoveryFailure = await discover(ctx)
  const failures: string[] = []
  const remaining = new Map<string, number>()
  const finalizers = new Map<string, number>()
  let estimateSeconds = 0
  // Pods go first: what they use (secrets, claims, policies) stays until the last of them has ended.
  const kinds = ctx.served.list().filter((kind) => {
    return kind.namespaced && kind.verbs.includes("list") && kind.verbs.includes("delete")
  })
  const order = [...kinds].sort((a, b) => Number(sameResource(b, pod)) - Number(sameResource(a, pod)))
  for (const kind of order) {
    if (!sameResource(kind, pod) && remaining.has(resourceId(pod))) break
    try {
      const left = await deleteAll(kind, ns.metadata.name, ctx)
      if (left.length === 0) continue
      remaining.set(resourceId(kind), left.length)
      for (const obj of left) {
        for (const one of obj.metadata.finalizers ?? []) finalizers.set(one, (finalizers.get(one) ?? 0) + 1)
      }
      estimateSeconds = Math.max(estimateSeconds, sameResource(kind, pod) ? podEstimate(left as Pod[]) : 15)
    } catch (thrown) {
      if (ctx.signal.aborted) throw thrown
      failures.push(messageOf(thrown))
    }
  }
  return { discoveryFailure, failures, remaining, finalizers, estimateSeconds }
}

/** As messages name a resource, also one of the core group. */
function resourceId(kind: Kind): string {
  return `${kind.plural}.${kind.group}`
}

/** Deletes all objects of a kind; returns those that are still there. */
async function deleteAll(kind: Kind, name: string, ctx: ReconcileContext): Promise<readonly KubeObject[]> {
  const { client, signal } = ctx
  const list = async (): Promise<readonly KubeObject[]> => {
    try {
      return (await client.list<KubeObject>(kind, { namespace: name, signal })).items
    } catch (thrown) {
      // Not served (any more).
      if (isNotFound(thrown) || isMethodNotSupported(thrown)) return []
      throw thrown
    }
  }
  const present = await list()
  if (present.length === 0) return present
  if (kind.verbs.includes("deletecollection")) {
    await client.deleteCollection(
      kind,
      { namespace: name, signal },
      { propagationPolicy: "Background", signal },
    )
  } else {
    for (const obj of present) {
      const ref = { namespace: name, name: obj.metadata.name }
      try {
        await client.delete(kind, ref, { propagationPolicy: "Background", signal })
      } catch (thrown) {
        if (!isNotFound(thrown)) throw thrown
      }
    }
  }
  return list()
}

/** The longest time that a pod which still runs may take to end. */
function podEstimate(pods: readonly Pod[]): number {
  let longest = 0
  for (const { status, spec } of pods) {
    if (status?.phase === "Succeeded" || status?.phase === "Failed") continue
    longest = Math.max(longest, spec.terminationGracePeriodSeconds ?? 30)
  }
  return longest
}
