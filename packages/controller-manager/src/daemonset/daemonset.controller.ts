/** One pod on each node. Mirrors: pkg/controller/daemon/daemon_controller.go */
import { controllerRevision, daemonSet, node, pod, type DaemonSet, type Node, type Pod } from "@knarr/api"
import { isNotFound, refKey, refOf, semanticEqual } from "@knarr/apimachinery"
import {
  allow,
  claimObjects,
  defineController,
  Expectations,
  perRun,
  recordEvents,
  slowStart,
  type Controller,
  type ReconcileContext,
} from "@knarr/controller-kit"
import { possibleOwners } from "../workload/adoption.ts"
import {
  currentRevision,
  ownRevisions,
  revisionHashLabel,
  trimRevisions,
} from "../workload/controller-revisions.ts"
import { createPod, deletePod, isNamespaceTerminating, podFromTemplate } from "../workload/pod-control.ts"
import { observePods } from "../workload/pod-expectations.ts"
import { orphanPodIndex } from "../workload/pod-indexes.ts"
import { isPodActive, nextAvailableMs } from "../workload/pod-state.ts"
import { isEmptySelector, matcher } from "../workload/selector.ts"
import {
  daemonStatus,
  daemonTemplate,
  planDaemons,
  planUpdate,
  templateForNode,
  type DaemonInput,
} from "./daemon-plan.ts"

const burst = 250
const expectationsOf = perRun((ctx) => new Expectations(ctx.clock))
/** Failed pods are replaced after a second, then two, four … at most every 15 minutes; by set, generation and node. */
const backoffOf = perRun(() => new Map<string, { untilMs: number; delayMs: number }>())
const maxBackoffMs = 15 * 60_000

export const daemonSetController: Controller = defineController<DaemonSet>({
  name: "daemonset-controller",
  aliases: ["daemonset"],
  serviceAccount: "daemon-set-controller",
  rbac: [
    allow("apps,extensions", "daemonsets", "get list watch"),
    allow("apps,extensions", "daemonsets/status", "update"),
    allow("apps,extensions", "daemonsets/finalizers", "update"),
    allow("", "nodes", "list watch"),
    allow("", "pods", "create delete list patch watch"),
    allow("", "pods/binding", "create"),
    allow("apps", "controllerrevisions", "create delete get list patch update watch"),
    recordEvents,
  ],
  for: daemonSet,
  owns: [pod, controllerRevision],
  watches: [
    {
      kind: node,
      // Heartbeats change a node all the time; `run` enqueues when what matters here changes.
      map: (_obj: Node) => [],
    },
    {
      kind: pod,
      map: (obj: Pod, cache) =>
        possibleOwners(obj, cache, daemonSet, (ds) => matcher(ds.spec.selector)(obj.metadata.labels)),
    },
  ],
  indexes: [orphanPodIndex],
  async reconcile(ref, ctx) {
    const expectations = expectationsOf(ctx)
    const key = refKey(ref)
    const ds = ctx.cache.get(daemonSet, ref)
    if (!ds) {
      expectations.delete(key)
      return undefined
    }
    if (isEmptySelector(ds.spec.selector)) {
      const message = "This daemon set is selecting all pods. A non-empty selector is required."
      ctx.recorder.event(ds, "Warning", "SelectingAll", message)
      return undefined
    }
    if (ds.metadata.deletionTimestamp) return undefined
    const matches = matcher(ds.spec.selector)
    const revisions = await ownRevisions(ds, daemonSet, matches, ctx)
    const { revision, collisionCount } = await currentRevision(
      ds,
      daemonSet,
      revisions,
      ds.status?.collisionCount,
      revisionHashLabel,
      ctx,
    )
    const hash = revision.metadata.labels?.[revisionHashLabel] ?? ""
    const nodes = [...ctx.cache.list(node)].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    const input: DaemonInput = {
      ds,
      template: daemonTemplate(ds, hash),
      hash,
      nodes,
      pods: await claimObjects({
        client: ctx.client,
        owner: ds,
        ownerKind: daemonSet,
        kind: pod,
        candidates: [
          ...ctx.cache.list(pod, { ownedBy: ds }),
          ...ctx.cache.byIndex(pod, orphanPodIndex.name, ref.namespace ?? ""),
        ],
        matches: (obj) => matches(obj.metadata.labels),
        adoptable: isPodActive,
        signal: ctx.signal,
      }),
      nowMs: ctx.clock.now(),
    }
    const { error, afterMs: againMs } = expectations.satisfied(key)
      ? await manage(input, key, expectations, ctx)
      : {}
    const status = daemonStatus(input, collisionCount)
    if (!semanticEqual(status, ds.status)) {
      await ctx.client.update(daemonSet, { ...ds, status }, { subresource: "status", signal: ctx.signal })
    }
    if (error !== undefined) throw error
    const used = new Set(input.pods.map((one) => one.metadata.labels?.[revisionHashLabel]))
    await trimRevisions(
      ds,
      revisions,
      (one) =>
        one.metadata.uid === revision.metadata.uid || used.has(one.metadata.labels?.[revisionHashLabel]),
      ctx,
    )
    const afterMs = Math.min(
      againMs ?? Infinity,
      nextAvailableMs(input.pods, ds.spec.minReadySeconds ?? 0, input.nowMs) ?? Infinity,
    )
    return afterMs === Infinity ? undefined : { afterMs }
  },
  async run(ctx) {
    const sets = ctx.informer(daemonSet)
    const all = (): void => {
      for (const ds of sets.list()) ctx.enqueue(refOf(ds))
    }
    using _nodes = ctx.informer(node).subscribe({
      added: all,
      deleted: all,
      updated(obj, old) {
        const same =
          semanticEqual(obj.metadata.labels, old.metadata.labels) &&
          semanticEqual(obj.spec?.taints, old.spec?.taints)
        if (!same) all()
      },
    })
    await observePods(ctx, daemonSet, expectationsOf(ctx))
  },
})

async function manage(
  input: DaemonInput,
  key: string,
  expectations: Expectations,
  ctx: ReconcileContext,
): Promise<{ error?: unknown; afterMs?: number | undefined }> {
  const { ds } = input
  const plan = planDaemons(input)
  let { createOn, remove } = plan
  const held = new Set<Pod>()
  let afterMs: number | undefined
  for (const one of plan.ended) {
    const failed = one.status?.phase === "Failed"
    const waitMs = failed ? backoffLeft(one, input, ctx) : 0
    if (waitMs > 0) {
      held.add(one)
      afterMs = Math.min(afterMs ?? Infinity, waitMs)
      continue
    }
    const word = failed ? "failed" : "succeeded"
    const message = `Found ${word} daemon pod ${refKey(refOf(one))} on node ${one.spec.nodeName ?? ""}, will try to ${failed ? "kill" : "delete"} it`
    ctx.recorder.event(
      ds,
      failed ? "Warning" : "Normal",
      failed ? "FailedDaemonPod" : "SucceededDaemonPod",
      message,
    )
  }
  remove = remove.filter((one) => !held.has(one))
  if (createOn.length === 0 && remove.length === 0 && ds.spec.updateStrategy?.type !== "OnDelete") {
    ;({ createOn, remove } = planUpdate(input))
  }
  createOn = createOn.slice(0, burst)
  remove = remove.slice(0, burst)
  if (createOn.length === 0 && remove.length === 0) return { afterMs }
  expectations.expect(
    key,
    createOn.length,
    remove.map((one) => one.metadata.uid),
  )
  const { successes, error } = await slowStart(createOn.length, async (i) => {
    try {
      await createPod(ctx, podFromTemplate(templateForNode(input.template, createOn[i]!), ds, daemonSet), ds)
    } catch (thrown) {
      if (!isNamespaceTerminating(thrown)) throw thrown
      expectations.creationObserved(key)
    }
  })
  for (let i = successes; i < createOn.length; i++) expectations.creationObserved(key)
  const results = await Promise.allSettled(
    remove.map(async (victim) => {
      try {
        await deletePod(ctx, victim, ds)
      } catch (thrown) {
        expectations.deletionObserved(key, victim.metadata.uid)
        if (!isNotFound(thrown)) throw thrown
      }
    }),
  )
  return { error: error ?? results.find((result) => result.status === "rejected")?.reason, afterMs }
}

/** Milliseconds that a failed pod is still kept; 0 when it may go now, which lengthens the next wait. */
function backoffLeft(one: Pod, { ds, nowMs }: DaemonInput, ctx: ReconcileContext): number {
  const backoff = backoffOf(ctx)
  const key = `${ds.metadata.uid}/${ds.metadata.generation}/${one.spec.nodeName ?? ""}`
  const known = backoff.get(key)
  if (known && known.untilMs > nowMs) return known.untilMs - nowMs
  // Quiet for twice the longest wait: begin anew.
  const recent = known && nowMs - known.untilMs < 2 * maxBackoffMs
  const delayMs = recent ? Math.min(2 * known.delayMs, maxBackoffMs) : 1000
  backoff.set(key, { untilMs: nowMs + delayMs, delayMs })
  if (backoff.size > 10_000) backoff.delete(backoff.keys().next().value!)
  return 0
}
