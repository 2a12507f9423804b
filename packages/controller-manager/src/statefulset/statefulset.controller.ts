/** Pods with names and storage of their own. Mirrors: pkg/controller/statefulset */
import {
  controllerRevision,
  persistentVolumeClaim,
  pod,
  statefulSet,
  type Pod,
  type StatefulSet,
} from "@knarr/api"
import { deepClone, isAlreadyExists, isNotFound, refOf, semanticEqual } from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import {
  allow,
  claimObjects,
  defineController,
  recordEvents,
  type Controller,
  type ReconcileContext,
} from "@knarr/controller-kit"
import { possibleOwners } from "../workload/adoption.ts"
import { currentRevision, ownRevisions, templateOf, trimRevisions } from "../workload/controller-revisions.ts"
import { isNamespaceTerminating } from "../workload/pod-control.ts"
import { orphanPodIndex } from "../workload/pod-indexes.ts"
import { nextAvailableMs } from "../workload/pod-state.ts"
import { isEmptySelector, matcher } from "../workload/selector.ts"
import {
  claimName,
  claimOwners,
  claimsFor,
  ordinalOf,
  podFor,
  podNameLabel,
  podRevision,
} from "./identity.ts"
import { planStateful, type Action, type StatefulInput } from "./stateful-plan.ts"
import { withoutZeros } from "../workload/without-zeros.ts"

const hashLabel = "controller.kubernetes.io/hash"

export const statefulSetController: Controller = defineController<StatefulSet>({
  name: "statefulset-controller",
  aliases: ["statefulset"],
  serviceAccount: "statefulset-controller",
  rbac: [
    allow("apps", "statefulsets", "get list watch"),
    allow("apps", "statefulsets/status", "update"),
    allow("apps", "statefulsets/finalizers", "update"),
    allow("", "pods", "list watch get create delete update patch"),
    allow("", "pods/finalizers", "update"),
    allow("apps", "controllerrevisions", "get create delete update patch list watch"),
    allow("", "persistentvolumeclaims", "get create list watch update delete"),
    recordEvents,
  ],
  for: statefulSet,
  owns: [pod, controllerRevision],
  watches: [
    {
      kind: pod,
      map: (obj: Pod, cache) =>
        possibleOwners(
          obj,
          cache,
          statefulSet,
          (set) => matcher(set.spec.selector)(obj.metadata.labels) && ordinalOf(set, obj) >= 0,
        ),
    },
  ],
  reads: [persistentVolumeClaim],
  indexes: [orphanPodIndex],
  async reconcile(ref, ctx) {
    const set = ctx.cache.get(statefulSet, ref)
    if (!set || isEmptySelector(set.spec.selector)) return undefined
    const matches = matcher(set.spec.selector)
    const revisions = await ownRevisions(set, statefulSet, matches, ctx)
    const pods = await claimObjects({
      client: ctx.client,
      owner: set,
      ownerKind: statefulSet,
      kind: pod,
      candidates: [
        ...ctx.cache.list(pod, { ownedBy: set }),
        ...ctx.cache.byIndex(pod, orphanPodIndex.name, ref.namespace ?? ""),
      ],
      matches: (obj) => matches(obj.metadata.labels) && ordinalOf(set, obj) >= 0,
      signal: ctx.signal,
    })
    const { revision: update, collisionCount } = await currentRevision(
      set,
      statefulSet,
      revisions,
      set.status?.collisionCount,
      hashLabel,
      ctx,
    )
    const current = revisions.find((one) => one.metadata.name === set.status?.currentRevision) ?? update
    const nowMs = ctx.clock.now()
    const input: StatefulInput = { set, current, update, collisionCount, pods, nowMs }
    const { actions, status: counted } = planStateful(input)
    const status = withoutZeros(counted, ["readyReplicas", "currentReplicas", "updatedReplicas"])
    let error: unknown
    try {
      await syncClaimOwners(set, pods, ctx)
      for (const action of actions) await perform(set, action, ctx)
    } catch (thrown) {
      if (ctx.signal.aborted) throw thrown
      error = thrown
    }
    // After a failure the plan's counts are not what happened; the next try reports.
    if (error === undefined && !semanticEqual(status, set.status)) {
      await ctx.client.update(statefulSet, { ...set, status }, { subresource: "status", signal: ctx.signal })
    }
    if (error !== undefined) {
      if (isNamespaceTerminating(error)) return undefined
      throw error
    }
    const live = new Set([current.metadata.name, update.metadata.name, ...pods.map(podRevision)])
    await trimRevisions(set, revisions, (one) => live.has(one.metadata.name), ctx)
    const afterMs = nextAvailableMs(pods, set.spec.minReadySeconds ?? 0, nowMs)
    return afterMs === undefined ? undefined : { afterMs }
  },
})

async function perform(set: StatefulSet, action: Action, ctx: ReconcileContext): Promise<void> {
  const { client, recorder, signal } = ctx
  switch (action.type) {
    case "create": {
      await createClaims(set, action.ordinal, ctx)
      const draft = podFor(set, templateOf(action.revision), action.revision.metadata.name, action.ordinal)
      await report(set, "Create", draft.metadata.name!, ctx, () => client.create(pod, draft, { signal }))
      return
    }
    case "restart": {
      const failed = action.pod.status?.phase === "Failed"
      const name = `${set.metadata.namespace}/${set.metadata.name}`
      const word = failed ? "failed" : "terminated"
      const reason = failed ? "RecreatingFailedPod" : "RecreatingTerminatedPod"
      const message = `StatefulSet ${name} is recreating ${word} Pod ${action.pod.metadata.name}`
      recorder.event(set, failed ? "Warning" : "Normal", reason, message)
      await report(set, "Delete", action.pod.metadata.name, ctx, () => remove(action.pod, ctx))
      return
    }
    case "delete":
      await report(set, "Delete", action.pod.metadata.name, ctx, () => remove(action.pod, ctx))
      return
    case "fix": {
      const ordinal = ordinalOf(set, action.pod)
      await createClaims(set, ordinal, ctx)
      const next = deepClone(action.pod)
      next.metadata.labels = { ...next.metadata.labels, [podNameLabel]: next.metadata.name }
      if (!semanticEqual(next, action.pod))
        await report(set, "Update", next.metadata.name, ctx, () => client.update(pod, next, { signal }))
    }
  }
}

async function remove(victim: Pod, { client, signal }: ReconcileContext): Promise<void> {
  try {
    await client.delete(pod, refOf(victim), { preconditions: { uid: victim.metadata.uid }, signal })
  } catch (thrown) {
    if (!isNotFound(thrown)) throw thrown
  }
}

async function report(
  set: StatefulSet,
  verb: string,
  name: string,
  { recorder, signal }: ReconcileContext,
  act: () => Promise<unknown>,
): Promise<void> {
  const what = `${verb} Pod ${name} in StatefulSet ${set.metadata.name}`
  try {
    await act()
  } catch (thrown) {
    if (!signal.aborted && !isNamespaceTerminating(thrown)) {
      recorder.event(set, "Warning", `Failed${verb}`, `${what} failed error: ${messageOf(thrown)}`)
    }
    throw thrown
  }
  recorder.event(set, "Normal", `Successful${verb}`, `${what} successful`)
}

async function createClaims(
  set: StatefulSet,
  ordinal: number,
  { cache, client, recorder, signal }: ReconcileContext,
): Promise<void> {
  for (const claim of claimsFor(set, ordinal)) {
    const name = claim.metadata.name!
    const present = cache.get(persistentVolumeClaim, { namespace: set.metadata.namespace, name })
    if (present) {
      if (present.metadata.deletionTimestamp) throw new Error(`pvc ${name} is being deleted`)
      continue
    }
    const what = `Create Claim ${name} Pod ${set.metadata.name}-${ordinal} in StatefulSet ${set.metadata.name}`
    try {
      await client.create(persistentVolumeClaim, claim, { signal })
      recorder.event(set, "Normal", "SuccessfulCreate", `${what} success`)
    } catch (thrown) {
      if (isAlreadyExists(thrown)) continue
      if (!signal.aborted && !isNamespaceTerminating(thrown)) {
        recorder.event(set, "Warning", "FailedCreate", `${what} failed error: ${messageOf(thrown)}`)
      }
      throw thrown
    }
  }
}

/** Makes claims go with the set or with a pod that scaling down removes, as the retention policy says. */
async function syncClaimOwners(
  set: StatefulSet,
  pods: readonly Pod[],
  { cache, client, signal }: ReconcileContext,
): Promise<void> {
  for (const one of pods) {
    for (const template of set.spec.volumeClaimTemplates ?? []) {
      const name = claimName(set, template, ordinalOf(set, one))
      const claim = cache.get(persistentVolumeClaim, { namespace: set.metadata.namespace, name })
      if (!claim) continue
      const ownerReferences = claimOwners(set, one, claim)
      if (semanticEqual(ownerReferences, claim.metadata.ownerReferences)) continue
      const metadata = { ...claim.metadata, ownerReferences }
      await client.update(persistentVolumeClaim, { ...claim, metadata }, { signal })
    }
  }
}
