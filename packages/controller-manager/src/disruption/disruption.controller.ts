/** Keeps the status of disruption budgets, which evictions go by. Mirrors: pkg/controller/disruption */
import {
  deployment,
  pod,
  podDisruptionBudget,
  replicaSet,
  replicationController,
  statefulSet,
  type Pod,
  type PodDisruptionBudget,
} from "@knarr/api"
import {
  controllerOf,
  formatTime,
  isNotFound,
  refOf,
  semanticEqual,
  setCondition,
  type KubeObject,
  type OwnerReference,
} from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import {
  allow,
  defineController,
  recordEvents,
  refersToKind,
  type Controller,
  type ReconcileContext,
} from "@knarr/controller-kit"
import { matcher } from "../workload/selector.ts"
import { budgetStatus, countsFor, healthyPods, pendingDisruptions } from "./budget.ts"

export const disruptionController: Controller = defineController<PodDisruptionBudget>({
  name: "disruption-controller",
  aliases: ["disruption"],
  serviceAccount: "disruption-controller",
  rbac: [
    allow("apps,extensions", "deployments", "get list watch"),
    allow("apps,extensions", "replicasets", "get list watch"),
    allow("", "replicationcontrollers", "get list watch"),
    allow("policy", "poddisruptionbudgets", "get list watch"),
    allow("apps", "statefulsets", "get list watch"),
    allow("policy", "poddisruptionbudgets/status", "update"),
    allow("", "pods/status", "patch update"),
    allow("*", "*/scale", "get"),
    recordEvents,
  ],
  for: podDisruptionBudget,
  watches: [
    {
      kind: pod,
      map: (obj: Pod, cache) =>
        cache
          .list(podDisruptionBudget, { namespace: obj.metadata.namespace })
          .filter((pdb) => matcher(pdb.spec.selector)(obj.metadata.labels))
          .map(refOf),
    },
  ],
  reads: [deployment, replicaSet, replicationController, statefulSet],
  async reconcile(ref, ctx) {
    const { cache, client, clock, recorder, signal } = ctx
    const pdb = cache.get(podDisruptionBudget, ref)
    if (!pdb || pdb.metadata.deletionTimestamp) return undefined
    const matches = matcher(pdb.spec.selector)
    const pods = cache.list(pod, { namespace: ref.namespace }).filter((one) => matches(one.metadata.labels))
    if (pods.length === 0) recorder.event(pdb, "Normal", "NoPods", "No matching pods found")
    const nowMs = clock.now()
    let scales: number
    try {
      scales = await scaleOf(pdb, pods, ctx)
    } catch (thrown) {
      if (signal.aborted) throw thrown
      const message = `Failed to calculate the number of expected pods: ${messageOf(thrown)}`
      recorder.event(pdb, "Warning", "CalculateExpectedPodCountFailed", message)
      await failSafe(pdb, messageOf(thrown), ctx)
      throw thrown
    }
    const { disrupted, recheckMs, expired } = pendingDisruptions(pdb, pods, nowMs)
    for (const one of expired) {
      recorder.event(
        one,
        "Warning",
        "NotDeleted",
        `Pod was expected by PDB ${ref.namespace}/${ref.name} to be deleted but it wasn't`,
      )
    }
    const healthy = healthyPods(pods, disrupted)
    const status = budgetStatus(
      pdb,
      countsFor(pdb, pods.length, () => scales),
      healthy,
      disrupted,
      nowMs,
    )
    if (!semanticEqual(status, pdb.status)) {
      await client.update(podDisruptionBudget, { ...pdb, status }, { subresource: "status", signal })
    }
    return recheckMs === undefined ? undefined : { afterMs: recheckMs }
  },
})

/** Without a count nothing may be disrupted. */
async function failSafe(
  pdb: PodDisruptionBudget,
  message: string,
  { client, clock, signal }: ReconcileContext,
): Promise<void> {
  const status = {
    ...pdb.status,
    disruptionsAllowed: 0,
    conditions: (pdb.status?.conditions ?? []).map((one) => ({ ...one })),
  }
  const condition = { type: "DisruptionAllowed", status: "False", reason: "SyncFailed", message }
  setCondition(status.conditions, condition, formatTime(clock.now()))
  if (semanticEqual(status, pdb.status)) return
  await client.update(podDisruptionBudget, { ...pdb, status }, { subresource: "status", signal })
}

/** The replicas that the controllers of the pods want, together; only asked for when the budget needs it. */
async function scaleOf(
  pdb: PodDisruptionBudget,
  pods: readonly Pod[],
  ctx: ReconcileContext,
): Promise<number> {
  const { maxUnavailable, minAvailable } = pdb.spec
  if (maxUnavailable === undefined && typeof minAvailable !== "string") return pods.length
  const scales = new Map<string, number>()
  for (const one of pods) {
    const owner = controllerOf(one)
    if (!owner) continue
    if (scales.has(owner.uid)) continue
    const found = await ownerScale(owner, one.metadata.namespace, ctx)
    if (!found) throw new Error(`found no controllers for pod "${one.metadata.name}"`)
    scales.set(found.uid, found.replicas)
  }
  return [...scales.values()].reduce((sum, replicas) => sum + replicas, 0)
}

interface Scale {
  readonly uid: string
  readonly replicas: number
}

async function ownerScale(
  owner: OwnerReference,
  namespace: string | undefined,
  ctx: ReconcileContext,
): Promise<Scale | undefined> {
  const { cache, client, served, signal } = ctx
  const ref = { namespace, name: owner.name }
  const known = (
    obj: (KubeObject & { spec: { replicas?: number | undefined } }) | undefined,
  ): Scale | undefined =>
    obj && obj.metadata.uid === owner.uid ? { uid: owner.uid, replicas: obj.spec.replicas ?? 1 } : undefined
  if (refersToKind(owner, replicaSet)) {
    const set = cache.get(replicaSet, ref)
    const top = set && set.metadata.uid === owner.uid ? controllerOf(set) : undefined
    if (top && refersToKind(top, deployment)) {
      const d = cache.get(deployment, { namespace, name: top.name })
      if (d?.metadata.uid === top.uid) return { uid: top.uid, replicas: d.spec.replicas ?? 1 }
    }
    return known(set)
  }
  if (refersToKind(owner, replicationController)) return known(cache.get(replicationController, ref))
  if (refersToKind(owner, statefulSet)) return known(cache.get(statefulSet, ref))
  const kind = served.find(owner.apiVersion, owner.kind)
  if (!kind?.subresources.has("scale"))
    throw new Error(`${owner.kind} does not implement the scale subresource`)
  try {
    const scale = await client.getSubresource<{ spec?: { replicas?: number }; metadata: { uid?: string } }>(
      kind,
      ref,
      "scale",
      { signal },
    )
    return { uid: owner.uid, replicas: scale.spec?.replicas ?? 0 }
  } catch (thrown) {
    if (isNotFound(thrown))
      throw new Error(`${owner.kind} does not implement the scale subresource`, { cause: thrown })
    throw thrown
  }
}
