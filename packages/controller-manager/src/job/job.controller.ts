/** Runs pods to completion. Mirrors: pkg/controller/job/job_controller.go */
import { job, pod, type Job, type JobCondition, type JobStatus, type Pod } from "@knarr/api"
import { controllerOf, formatTime, isNotFound, refKey, refOf, semanticEqual } from "@knarr/apimachinery"
import {
  allow,
  claimObjects,
  defineController,
  Expectations,
  perRun,
  recordEvents,
  refersToKind,
  slowStart,
  type Controller,
  type ReconcileContext,
} from "@knarr/controller-kit"
import { possibleOwners } from "../workload/adoption.ts"
import {
  createPod,
  deletePod,
  isNamespaceTerminating,
  podFromTemplate,
  type PodDraft,
} from "../workload/pod-control.ts"
import { observePods } from "../workload/pod-expectations.ts"
import { orphanPodIndex } from "../workload/pod-indexes.ts"
import { withoutZeros } from "../workload/without-zeros.ts"
import { matcher } from "../workload/selector.ts"
import { completionIndex, indexAnnotation } from "./indexes.ts"
import {
  burst,
  conditionOf,
  failureCountAnnotation,
  isFinished,
  isIndexed,
  newCondition,
  planJob,
  trackingFinalizer,
  type JobPlan,
  type NewPod,
} from "./job-plan.ts"
import { failureVerdict } from "./pod-failure-policy.ts"

const managedByUs = "kubernetes.io/job-controller"
const expectationsOf = perRun((ctx) => new Expectations(ctx.clock))

/** Pods with the tracking finalizer, by the key of their job. */
const trackedPodIndex = {
  kind: pod,
  name: "trackedByJob",
  fn: (obj: Pod): readonly string[] => {
    const owner = controllerOf(obj)
    if (!owner || !refersToKind(owner, job) || !obj.metadata.finalizers?.includes(trackingFinalizer))
      return []
    return [refKey({ namespace: obj.metadata.namespace, name: owner.name })]
  },
}

export const jobController: Controller = defineController<Job>({
  name: "job-controller",
  aliases: ["job"],
  serviceAccount: "job-controller",
  rbac: [
    allow("batch", "jobs", "get list watch update patch"),
    allow("batch", "jobs/status", "update"),
    allow("batch", "jobs/finalizers", "update"),
    allow("", "pods", "list watch create delete patch"),
    recordEvents,
  ],
  for: job,
  owns: [pod],
  watches: [
    {
      kind: pod,
      map: (obj: Pod, cache) =>
        possibleOwners(obj, cache, job, (one) => matcher(one.spec.selector)(obj.metadata.labels)),
    },
  ],
  indexes: [orphanPodIndex, trackedPodIndex],
  async reconcile(ref, ctx) {
    const expectations = expectationsOf(ctx)
    const key = refKey(ref)
    const one = ctx.cache.get(job, ref)
    if (!one) {
      expectations.delete(key)
      // Pods whose job is gone must not be held by its finalizer.
      await releasePods(ctx.cache.byIndex(pod, trackedPodIndex.name, key), ctx)
      return undefined
    }
    if (one.spec.managedBy !== undefined && one.spec.managedBy !== managedByUs) return undefined
    if (isFinished(one) || one.metadata.deletionTimestamp) {
      await releasePods(ctx.cache.list(pod, { ownedBy: one }), ctx)
      return undefined
    }
    if (!expectations.satisfied(key)) return undefined
    const matches = matcher(one.spec.selector)
    const pods = await claimObjects({
      client: ctx.client,
      owner: one,
      ownerKind: job,
      kind: pod,
      candidates: [
        ...ctx.cache.list(pod, { ownedBy: one }),
        ...ctx.cache.byIndex(pod, orphanPodIndex.name, ref.namespace ?? ""),
      ],
      matches: (obj) => matches(obj.metadata.labels),
      finalizer: trackingFinalizer,
      signal: ctx.signal,
    })
    return syncJob(one, pods, expectations, ctx)
  },
  run: (ctx) => observePods(ctx, job, expectationsOf(ctx)),
})

async function syncJob(
  one: Job,
  pods: readonly Pod[],
  expectations: Expectations,
  ctx: ReconcileContext,
): Promise<{ afterMs: number } | undefined> {
  const nowMs = ctx.clock.now()
  const status: JobStatus = { ...one.status }
  let conditions: JobCondition[] = [...(status.conditions ?? [])]
  const events: (readonly ["Normal" | "Warning", string, string])[] = []
  const suspended = one.spec.suspend === true
  if (suspended !== (conditionOf(one, "Suspended") !== undefined)) {
    const had = conditions.some((condition) => condition.type === "Suspended")
    if (suspended || had) {
      conditions = conditions.filter((condition) => condition.type !== "Suspended")
      conditions.push(
        suspended
          ? newCondition("Suspended", "JobSuspended", "Job suspended", nowMs)
          : newCondition("Suspended", "JobResumed", "Job resumed", nowMs, "False"),
      )
      events.push(suspended ? ["Normal", "Suspended", "Job suspended"] : ["Normal", "Resumed", "Job resumed"])
    }
    if (suspended) delete status.startTime
  }
  if (!suspended && !status.startTime) status.startTime = formatTime(nowMs)
  const plan = planJob({ job: { ...one, status: { ...status, conditions } }, pods, nowMs })
  const error = await resize(one, plan, expectations, ctx)

  status.active = plan.active.length - plan.remove.length + created(plan, error)
  status.ready = Math.min(plan.ready, status.active)
  status.terminating = plan.terminating + plan.remove.length
  if (plan.completedIndexes) status.completedIndexes = plan.completedIndexes
  if (plan.failedIndexes !== undefined) status.failedIndexes = plan.failedIndexes
  if (plan.verdict) {
    const type = plan.verdict.type === "Complete" ? "SuccessCriteriaMet" : "FailureTarget"
    const has = conditions.some((condition) => condition.type === type && condition.status === "True")
    if (!has) conditions.push(newCondition(type, plan.verdict.reason, plan.verdict.message, nowMs))
  }
  let current = await count(one, { ...status, conditions }, plan, pods, ctx)
  for (const [type, reason, message] of events) ctx.recorder.event(one, type, reason, message)
  const left = current.status?.uncountedTerminatedPods
  const allCounted = (left?.succeeded?.length ?? 0) + (left?.failed?.length ?? 0) === 0
  if (plan.verdict && allCounted && plan.active.length === 0 && plan.terminating === 0) {
    const { type, reason, message } = plan.verdict
    const final = [...(current.status?.conditions ?? []), newCondition(type, reason, message, nowMs)]
    const ended: JobStatus = { ...current.status, conditions: final, active: 0, ready: 0, terminating: 0 }
    if (type === "Complete") ended.completionTime = formatTime(nowMs)
    current = await writeStatus(current, ended, ctx)
    if (type === "Complete") ctx.recorder.event(one, "Normal", "Completed", "Job completed")
    else ctx.recorder.event(one, "Warning", reason, message)
  }
  if (error !== undefined) throw error
  return plan.afterMs === undefined ? undefined : { afterMs: plan.afterMs }
}

function created(plan: JobPlan, error: unknown): number {
  return error === undefined ? Math.min(plan.create.length, burst) : 0
}

/**
 * Counts pods that have ended: first their uids are written down, then their finalizers go, then the counters
 * rise. Whatever happens in between, each pod is counted once.
 */
async function count(
  one: Job,
  status: JobStatus,
  plan: JobPlan,
  pods: readonly Pod[],
  ctx: ReconcileContext,
): Promise<Job> {
  const indexed = isIndexed(one)
  const ignored = (obj: Pod): boolean =>
    failureVerdict(one, obj)?.action === "Ignore" ||
    (indexed && completionIndex(obj) >= (one.spec.completions ?? 0))
  const succeeded = new Set([
    ...(status.uncountedTerminatedPods?.succeeded ?? []),
    ...(indexed ? [] : plan.newlySucceeded.map((obj) => obj.metadata.uid)),
  ])
  const failed = new Set([
    ...(status.uncountedTerminatedPods?.failed ?? []),
    ...plan.newlyFailed.filter((obj) => !ignored(obj)).map((obj) => obj.metadata.uid),
  ])
  if (indexed) status.succeeded = plan.succeeded
  status.uncountedTerminatedPods = {
    ...(succeeded.size > 0 ? { succeeded: [...succeeded] } : {}),
    ...(failed.size > 0 ? { failed: [...failed] } : {}),
  }
  let current = await writeStatus(one, status, ctx)
  const ended = pods.filter(
    (obj) =>
      plan.newlySucceeded.includes(obj) ||
      plan.newlyFailed.includes(obj) ||
      succeeded.has(obj.metadata.uid) ||
      failed.has(obj.metadata.uid),
  )
  await releasePods(ended, ctx)
  if (succeeded.size + failed.size === 0) return current
  const next: JobStatus = { ...current.status, uncountedTerminatedPods: {} }
  next.failed = (next.failed ?? 0) + failed.size
  if (!indexed) next.succeeded = (next.succeeded ?? 0) + succeeded.size
  current = await writeStatus(current, next, ctx)
  return current
}

async function writeStatus(one: Job, status: JobStatus, { client, signal }: ReconcileContext): Promise<Job> {
  if (sameStatus(status, one.status)) return one
  const next = withoutZeros(status, ["active", "succeeded", "failed"])
  return client.update(job, { ...one, status: next }, { subresource: "status", signal })
}

function sameStatus(a: JobStatus, b: JobStatus | undefined): boolean {
  const plain = (status: JobStatus | undefined): object => {
    const { uncountedTerminatedPods, ...rest } = status ?? {}
    const { succeeded = [], failed = [] } = uncountedTerminatedPods ?? {}
    const numbers = { active: 0, ready: 0, terminating: 0, succeeded: 0, failed: 0 }
    return { ...numbers, ...rest, uncounted: [succeeded, failed] }
  }
  return semanticEqual(plain(a), plain(b))
}

async function releasePods(pods: readonly Pod[], { client, signal }: ReconcileContext): Promise<void> {
  for (const obj of pods) {
    if (!obj.metadata.finalizers?.includes(trackingFinalizer)) continue
    const body = {
      metadata: { uid: obj.metadata.uid, "$deleteFromPrimitiveList/finalizers": [trackingFinalizer] },
    }
    try {
      await client.patch(pod, refOf(obj), "strategic", body, { signal })
    } catch (thrown) {
      if (!isNotFound(thrown)) throw thrown
    }
  }
}

async function resize(
  one: Job,
  plan: JobPlan,
  expectations: Expectations,
  ctx: ReconcileContext,
): Promise<unknown> {
  const key = refKey(refOf(one))
  const create = plan.create.slice(0, burst)
  const remove = plan.remove.slice(0, burst)
  if (create.length === 0 && remove.length === 0) return undefined
  expectations.expect(
    key,
    create.length,
    remove.map((obj) => obj.metadata.uid),
  )
  const results = await Promise.allSettled(
    remove.map(async (victim) => {
      try {
        // Without its finalizer a deleted pod is not counted; those of a job that fails are.
        if (plan.verdict?.type !== "Failed") await releasePods([victim], ctx)
        await deletePod(ctx, victim, one)
      } catch (thrown) {
        expectations.deletionObserved(key, victim.metadata.uid)
        if (!isNotFound(thrown)) throw thrown
      }
    }),
  )
  const { successes, error } = await slowStart(create.length, async (i) => {
    try {
      await createPod(ctx, draftOf(one, create[i]), one)
    } catch (thrown) {
      if (!isNamespaceTerminating(thrown)) throw thrown
      expectations.creationObserved(key)
    }
  })
  for (let i = successes; i < create.length; i++) expectations.creationObserved(key)
  return error ?? results.find((result) => result.status === "rejected")?.reason
}

function draftOf(one: Job, what: NewPod | undefined): PodDraft {
  const draft = podFromTemplate(one.spec.template, one, job)
  draft.metadata.finalizers = [...(draft.metadata.finalizers ?? []), trackingFinalizer]
  if (!what) return draft
  const index = String(what.index)
  draft.metadata.generateName = `${one.metadata.name}-${index}-`
  draft.metadata.annotations = { ...draft.metadata.annotations, [indexAnnotation]: index }
  draft.metadata.labels = { ...draft.metadata.labels, [indexAnnotation]: index }
  if (what.failures !== undefined) draft.metadata.annotations[failureCountAnnotation] = String(what.failures)
  draft.spec.hostname = `${one.metadata.name}-${index}`
  const env = {
    name: "JOB_COMPLETION_INDEX",
    valueFrom: { fieldRef: { apiVersion: "v1", fieldPath: `metadata.labels['${indexAnnotation}']` } },
  }
  for (const container of [...(draft.spec.initContainers ?? []), ...draft.spec.containers]) {
    if (!container.env?.some((one) => one.name === env.name)) container.env = [...(container.env ?? []), env]
  }
  return draft
}
