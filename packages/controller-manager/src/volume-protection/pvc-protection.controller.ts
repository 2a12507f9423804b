/**
 * Keeps a claim until no pod uses it any more, and says of bound ones whether a pod does.
 * Mirrors: pkg/controller/volume/pvcprotection
 */
import { persistentVolumeClaim, pod, type PersistentVolumeClaim, type Pod } from "@knarr/api"
import { formatTime, isControlledBy, parseKey } from "@knarr/apimachinery"
import { allow, type Controller, defineController, type ReconcileContext } from "@knarr/controller-kit"
import { ephemeralClaimName } from "@knarr/pod-rules"
import { podClaimIndex } from "../workload/pod-indexes.ts"
import { hasLetGoOfVolumes } from "../workload/pod-state.ts"
import { withFinalizer, withoutFinalizer } from "./finalizer.ts"

const finalizer = "kubernetes.io/pvc-protection"

type Uses = (one: Readonly<Pod>, claim: Readonly<PersistentVolumeClaim>) => boolean

export const pvcProtectionController: Controller = defineController({
  name: "persistentvolumeclaim-protection-controller",
  queueName: "pvcprotection",
  aliases: ["pvc-protection"],
  serviceAccount: "pvc-protection-controller",
  rbac: [
    allow("", "persistentvolumeclaims", "get list update watch"),
    allow("", "persistentvolumeclaims/status", "update"),
    allow("", "pods", "get list watch"),
  ],
  for: persistentVolumeClaim,
  watches: [{ kind: pod, map: (one: Pod) => podClaimIndex.fn(one).map(parseKey) }],
  indexes: [podClaimIndex],
  async reconcile(ref, ctx) {
    const { cache, client, signal } = ctx
    const claim = cache.get(persistentVolumeClaim, ref)
    if (!claim) return
    const { deletionTimestamp, finalizers } = claim.metadata
    if (!deletionTimestamp) {
      // A bound one only: until then the binder writes its status.
      const next = claim.status.phase === "Bound" ? await unusedCondition(claim, ctx) : undefined
      if (next) await client.update(persistentVolumeClaim, next, { signal, subresource: "status" })
      else if (!finalizers?.includes(finalizer))
        await client.update(persistentVolumeClaim, withFinalizer(claim, finalizer), { signal })
    } else if (finalizers?.includes(finalizer) && !(await isUsed(claim, blocksDeletion, ctx)))
      await client.update(persistentVolumeClaim, withoutFinalizer(claim, finalizer), { signal })
  },
})

/** What the informer does not have may be newer than it is: the API is asked before nobody is taken to use the claim. */
async function isUsed(
  claim: Readonly<PersistentVolumeClaim>,
  uses: Uses,
  { cache, client, signal }: ReconcileContext,
): Promise<boolean> {
  const { namespace, name } = claim.metadata
  const known = cache.byIndex(pod, podClaimIndex.name, `${namespace}/${name}`)
  if (known.some((one) => uses(one, claim))) return true
  const { items } = await client.list(pod, { namespace, signal })
  return items.some((one) => uses(one, claim))
}

/** Only what is on a node can have it mounted. What made the claim for itself lets go of it when its kubelet is done. */
function blocksDeletion(one: Readonly<Pod>, claim: Readonly<PersistentVolumeClaim>): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds } = one.metadata
  const isShutDown = deletionTimestamp !== undefined && deletionGracePeriodSeconds === 0
  return Boolean(one.spec.nodeName) && (names(one, claim) || (!isShutDown && made(one, claim)))
}

function refersTo(one: Readonly<Pod>, claim: Readonly<PersistentVolumeClaim>): boolean {
  return !hasLetGoOfVolumes(one) && (names(one, claim) || made(one, claim))
}

function names({ spec }: Readonly<Pod>, { metadata }: Readonly<PersistentVolumeClaim>): boolean {
  return spec.volumes?.some((volume) => volume.persistentVolumeClaim?.claimName === metadata.name) ?? false
}

function made(one: Readonly<Pod>, claim: Readonly<PersistentVolumeClaim>): boolean {
  const volumes = one.spec.volumes?.filter((volume) => volume.ephemeral) ?? []
  const { name } = claim.metadata
  return volumes.some((volume) => ephemeralClaimName(one, volume) === name) && isControlledBy(claim, one)
}

/** The claim with the condition that tells since when nobody uses it; undefined: it says so already. */
async function unusedCondition(
  claim: Readonly<PersistentVolumeClaim>,
  ctx: ReconcileContext,
): Promise<PersistentVolumeClaim | undefined> {
  const conditions = claim.status.conditions ?? []
  const before = conditions.find(({ type }) => type === "Unused")
  const isKnownUnused = before?.status === "True"
  const { namespace, name } = claim.metadata
  const pods = ctx.cache.byIndex(pod, podClaimIndex.name, `${namespace}/${name}`)
  const isUnseen = !pods.some((one) => refersTo(one, claim))
  if (before && isKnownUnused === isUnseen) return undefined
  const used = await isUsed(claim, refersTo, ctx)
  if (before && isKnownUnused === !used) return undefined
  const condition = {
    type: "Unused",
    status: used ? "False" : "True",
    lastTransitionTime: formatTime(ctx.clock.now()),
    reason: used ? "PodUsingPVC" : "NoPodsUsingPVC",
    message: used ? "A pod is currently referencing this PVC" : "No pods are currently referencing this PVC",
  }
  const next = before
    ? conditions.map((one) => (one === before ? condition : one))
    : [...conditions, condition]
  return { ...claim, status: { ...claim.status, conditions: next } }
}
