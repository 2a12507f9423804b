/** What a job does next. Pure. Mirrors: pkg/controller/job/job_controller.go */
import type { Job, JobCondition, Pod } from "@knarr/api"
import { formatTime } from "@knarr/apimachinery"
import { isPodReady } from "../workload/pod-state.ts"
import { completionIndex, formatIndexes, parseIndexes } from "./indexes.ts"
import { failureVerdict } from "./pod-failure-policy.ts"

export const trackingFinalizer = "batch.kubernetes.io/job-tracking"
export const failureCountAnnotation = "batch.kubernetes.io/job-index-failure-count"
const defaultBackoffMs = 10_000
const maxBackoffMs = 600_000
/** Pods that are made or removed in one pass at most. */
export const burst = 500

export interface JobInput {
  readonly job: Job
  readonly pods: readonly Pod[]
  readonly nowMs: number
}

export interface JobPlan {
  /** Pods that ended since the last look; their finalizers go once they are counted. */
  readonly newlySucceeded: readonly Pod[]
  readonly newlyFailed: readonly Pod[]
  readonly active: readonly Pod[]
  readonly ready: number
  readonly terminating: number
  readonly completedIndexes: string | undefined
  readonly failedIndexes: string | undefined
  /** What will be true when all that ended is counted. */
  readonly succeeded: number
  readonly failed: number
  /** Why the job is to end; its pods are deleted. */
  readonly verdict: Verdict | undefined
  readonly remove: readonly Pod[]
  /** One entry per pod to create: its index, or undefined. */
  readonly create: readonly (NewPod | undefined)[]
  /** Look again then: a deadline or a back-off. */
  readonly afterMs: number | undefined
}

export interface NewPod {
  readonly index: number
  readonly failures: number | undefined
}

export interface Verdict {
  readonly type: "Complete" | "Failed"
  readonly reason: string
  readonly message: string
}

export const isIndexed = (job: Job): boolean => job.spec.completionMode === "Indexed"
const hasFinalizer = (pod: Pod): boolean => pod.metadata.finalizers?.includes(trackingFinalizer) ?? false
const onlyReplacesFailed = (job: Job): boolean =>
  (job.spec.podReplacementPolicy ?? (job.spec.podFailurePolicy ? "Failed" : "TerminatingOrFailed")) ===
  "Failed"

export function conditionOf(job: Job, type: string): JobCondition | undefined {
  return job.status?.conditions?.find((condition) => condition.type === type && condition.status === "True")
}

export function isFinished(job: Job): boolean {
  return conditionOf(job, "Complete") !== undefined || conditionOf(job, "Failed") !== undefined
}

function failedNow(job: Job, pod: Pod): boolean {
  if (pod.status?.phase === "Failed") return true
  if (onlyReplacesFailed(job)) return false
  return Boolean(pod.metadata.deletionTimestamp) && pod.status?.phase !== "Succeeded"
}

export function planJob({ job, pods, nowMs }: JobInput): JobPlan {
  const { spec } = job
  const uncounted = job.status?.uncountedTerminatedPods ?? {}
  const known = new Set([...(uncounted.succeeded ?? []), ...(uncounted.failed ?? [])])
  const active = pods.filter(
    (pod) =>
      !pod.metadata.deletionTimestamp && pod.status?.phase !== "Succeeded" && pod.status?.phase !== "Failed",
  )
  const terminating = pods.filter(
    (pod) =>
      pod.metadata.deletionTimestamp && pod.status?.phase !== "Succeeded" && pod.status?.phase !== "Failed",
  ).length
  const fresh = pods.filter((pod) => hasFinalizer(pod) && !known.has(pod.metadata.uid))
  const completions = spec.completions ?? 0
  const inRange = (pod: Pod): boolean =>
    !isIndexed(job) || (completionIndex(pod) >= 0 && completionIndex(pod) < completions)
  const newlySucceeded = fresh.filter((pod) => pod.status?.phase === "Succeeded")
  const newlyFailed = fresh.filter((pod) => failedNow(job, pod))
  const counted = newlyFailed.filter((pod) => failureVerdict(job, pod)?.action !== "Ignore" && inRange(pod))

  const done = parseIndexes(job.status?.completedIndexes, completions)
  const lost = parseIndexes(job.status?.failedIndexes, completions)
  if (isIndexed(job)) {
    for (const pod of newlySucceeded) if (inRange(pod)) done.add(completionIndex(pod))
    if (spec.backoffLimitPerIndex !== undefined) {
      for (const pod of counted) {
        const failures = Number(pod.metadata.annotations?.[failureCountAnnotation] ?? "0")
        const failIndex = failureVerdict(job, pod)?.action === "FailIndex"
        if (failures >= spec.backoffLimitPerIndex || failIndex) lost.add(completionIndex(pod))
      }
      for (const index of done) lost.delete(index)
    }
  }
  const succeeded = isIndexed(job)
    ? done.size
    : (job.status?.succeeded ?? 0) + (uncounted.succeeded?.length ?? 0) + newlySucceeded.length
  const failed = (job.status?.failed ?? 0) + (uncounted.failed?.length ?? 0) + counted.length
  const base = {
    newlySucceeded,
    newlyFailed,
    active,
    ready: active.filter(isPodReady).length,
    terminating,
    completedIndexes: isIndexed(job) ? formatIndexes(done) : undefined,
    failedIndexes:
      isIndexed(job) && spec.backoffLimitPerIndex !== undefined ? formatIndexes(lost) : undefined,
    succeeded,
    failed,
  }
  const verdict = verdictOn(job, { ...base, done, lost, counted }, nowMs)
  if (verdict) return { ...base, verdict, remove: active, create: [], afterMs: undefined }
  const deadlineMs = leftUntilDeadline(job, nowMs)
  if (spec.suspend) return { ...base, verdict, remove: active, create: [], afterMs: undefined }
  const size = resize(job, pods, base, done, lost, nowMs)
  const waits = [deadlineMs, size.afterMs].filter((ms) => ms !== undefined)
  return {
    ...base,
    verdict,
    remove: size.remove,
    create: size.create,
    afterMs: waits.length > 0 ? Math.min(...waits) : undefined,
  }
}

interface Tally {
  readonly active: readonly Pod[]
  readonly succeeded: number
  readonly failed: number
  readonly terminating: number
  readonly done: ReadonlySet<number>
  readonly lost: ReadonlySet<number>
  readonly counted: readonly Pod[]
}

function leftUntilDeadline({ spec, status }: Job, nowMs: number): number | undefined {
  if (spec.activeDeadlineSeconds === undefined || spec.suspend || !status?.startTime) return undefined
  return Math.max(0, Date.parse(status.startTime) + spec.activeDeadlineSeconds * 1000 - nowMs)
}

function verdictOn(job: Job, tally: Tally, nowMs: number): Verdict | undefined {
  const { spec } = job
  const target = conditionOf(job, "FailureTarget")
  if (target) return { type: "Failed", reason: target.reason ?? "", message: target.message ?? "" }
  const met = conditionOf(job, "SuccessCriteriaMet")
  if (met) return { type: "Complete", reason: met.reason ?? "", message: met.message ?? "" }
  for (const pod of tally.counted) {
    const verdict = failureVerdict(job, pod)
    if (verdict?.action === "FailJob")
      return { type: "Failed", reason: "PodFailurePolicy", message: verdict.message }
  }
  const limit = spec.backoffLimit ?? (spec.backoffLimitPerIndex === undefined ? 6 : 2147483647)
  if (tally.failed > limit || restartsExceed(job, tally.active, limit)) {
    return {
      type: "Failed",
      reason: "BackoffLimitExceeded",
      message: "Job has reached the specified backoff limit",
    }
  }
  if (leftUntilDeadline(job, nowMs) === 0) {
    return {
      type: "Failed",
      reason: "DeadlineExceeded",
      message: "Job was active longer than specified deadline",
    }
  }
  if (isIndexed(job) && spec.backoffLimitPerIndex !== undefined) {
    if (spec.maxFailedIndexes !== undefined && tally.lost.size > spec.maxFailedIndexes) {
      const message = "Job has exceeded the specified maximal number of failed indexes"
      return { type: "Failed", reason: "MaxFailedIndexesExceeded", message }
    }
    if (tally.lost.size > 0 && tally.lost.size + tally.succeeded >= (spec.completions ?? 0)) {
      return { type: "Failed", reason: "FailedIndexes", message: "Job has failed indexes" }
    }
  }
  for (const [i, rule] of (isIndexed(job) ? (spec.successPolicy?.rules ?? []) : []).entries()) {
    const wanted =
      rule.succeededIndexes === undefined
        ? undefined
        : parseIndexes(rule.succeededIndexes, spec.completions ?? 0)
    const hits = wanted ? [...wanted].filter((index) => tally.done.has(index)).length : tally.done.size
    const needed = rule.succeededCount ?? wanted?.size ?? Infinity
    if (hits >= needed)
      return { type: "Complete", reason: "SuccessPolicy", message: `Matched rules at index ${i}` }
  }
  const complete =
    spec.completions === undefined
      ? tally.succeeded > 0 && tally.active.length === 0 && tally.terminating === 0
      : tally.succeeded >= spec.completions && !spec.suspend
  if (!complete) return undefined
  return {
    type: "Complete",
    reason: "CompletionsReached",
    message: "Reached expected number of succeeded pods",
  }
}

/** With restartPolicy OnFailure containers are restarted in place, and their restarts count. */
function restartsExceed(job: Job, active: readonly Pod[], limit: number): boolean {
  if (job.spec.template.spec.restartPolicy !== "OnFailure") return false
  let restarts = 0
  for (const { status } of active) {
    if (status?.phase !== "Running" && status?.phase !== "Pending") continue
    for (const one of [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])]) {
      restarts += one.restartCount ?? 0
    }
  }
  return limit === 0 ? restarts > 0 : restarts >= limit
}

function resize(
  job: Job,
  pods: readonly Pod[],
  { active, succeeded, terminating }: { active: readonly Pod[]; succeeded: number; terminating: number },
  done: ReadonlySet<number>,
  lost: ReadonlySet<number>,
  nowMs: number,
): Pick<JobPlan, "remove" | "create" | "afterMs"> {
  const { spec } = job
  const parallelism = spec.parallelism ?? 1
  const indexed = isIndexed(job)
  let wanted =
    spec.completions === undefined
      ? succeeded > 0
        ? active.length
        : parallelism
      : Math.min(parallelism, Math.max(0, spec.completions - succeeded - (indexed ? lost.size : 0)))
  wanted = Math.max(0, wanted)
  const sorted = [...active].sort(leastUsefulFirst)
  const surplus = new Set<Pod>()
  if (indexed) {
    const taken = new Set<number>()
    for (const pod of [...sorted].reverse()) {
      const index = completionIndex(pod)
      const valid =
        index >= 0 &&
        index < (spec.completions ?? 0) &&
        !taken.has(index) &&
        !done.has(index) &&
        !lost.has(index)
      if (valid) taken.add(index)
      else surplus.add(pod)
    }
  }
  for (const pod of sorted) if (active.length - surplus.size > wanted) surplus.add(pod)
  if (surplus.size > 0) return { remove: [...surplus], create: [], afterMs: undefined }
  const missing = Math.min(burst, wanted - active.length - (onlyReplacesFailed(job) ? terminating : 0))
  if (missing <= 0) return { remove: [], create: [], afterMs: undefined }
  if (spec.backoffLimitPerIndex !== undefined && indexed) {
    return createIndexes(job, pods, active, done, lost, missing, nowMs)
  }
  const afterMs = backoffLeft(pods, nowMs)
  if (afterMs > 0) return { remove: [], create: [], afterMs }
  if (!indexed)
    return { remove: [], create: new Array<undefined>(missing).fill(undefined), afterMs: undefined }
  return createIndexes(job, pods, active, done, lost, missing, nowMs)
}

function createIndexes(
  job: Job,
  pods: readonly Pod[],
  active: readonly Pod[],
  done: ReadonlySet<number>,
  lost: ReadonlySet<number>,
  missing: number,
  nowMs: number,
): Pick<JobPlan, "remove" | "create" | "afterMs"> {
  const perIndex = job.spec.backoffLimitPerIndex !== undefined
  const busy = new Set(active.map(completionIndex))
  if (onlyReplacesFailed(job)) {
    for (const pod of pods)
      if (pod.metadata.deletionTimestamp && pod.status?.phase !== "Failed") busy.add(completionIndex(pod))
  }
  const create: NewPod[] = []
  let afterMs: number | undefined
  for (let index = 0; index < (job.spec.completions ?? 0) && create.length < missing; index++) {
    if (done.has(index) || lost.has(index) || busy.has(index)) continue
    if (!perIndex) {
      create.push({ index, failures: undefined })
      continue
    }
    const before = pods.filter((pod) => completionIndex(pod) === index && failedNow(job, pod))
    const left = backoffLeft(before, nowMs)
    if (left > 0) {
      afterMs = Math.min(afterMs ?? Infinity, left)
      continue
    }
    const counts = before.map((pod) => {
      const count = Number(pod.metadata.annotations?.[failureCountAnnotation] ?? "0")
      return failureVerdict(job, pod)?.action === "Ignore" ? count : count + 1
    })
    create.push({ index, failures: Math.max(0, ...counts) })
  }
  return { remove: [], create, afterMs }
}

/** Milliseconds that failures still hold up the next pod: 10 s, doubled with each failure since the last success. */
function backoffLeft(pods: readonly Pod[], nowMs: number): number {
  let lastSuccess = 0
  for (const pod of pods)
    if (pod.status?.phase === "Succeeded") lastSuccess = Math.max(lastSuccess, finishMs(pod))
  const failures = pods
    .filter((pod) => pod.status?.phase === "Failed" && finishMs(pod) > lastSuccess)
    .map(finishMs)
  if (failures.length === 0) return 0
  const delay = Math.min(maxBackoffMs, defaultBackoffMs * 2 ** Math.min(20, failures.length - 1))
  return Math.max(0, Math.max(...failures) + delay - nowMs)
}

function finishMs(pod: Pod): number {
  let latest = 0
  for (const { state } of pod.status?.containerStatuses ?? []) {
    if (state?.terminated?.finishedAt) latest = Math.max(latest, Date.parse(state.terminated.finishedAt))
  }
  if (latest > 0) return latest
  const ready = pod.status?.conditions?.find((one) => one.type === "Ready")?.lastTransitionTime
  return Date.parse(ready ?? pod.metadata.deletionTimestamp ?? pod.metadata.creationTimestamp)
}

function leastUsefulFirst(a: Pod, b: Pod): number {
  const score = (pod: Pod): number =>
    (pod.spec.nodeName ? 4 : 0) + (pod.status?.phase === "Running" ? 2 : 0) + (isPodReady(pod) ? 1 : 0)
  const byScore = score(a) - score(b)
  if (byScore !== 0) return byScore
  if (a.metadata.creationTimestamp !== b.metadata.creationTimestamp) {
    return a.metadata.creationTimestamp > b.metadata.creationTimestamp ? -1 : 1
  }
  return a.metadata.uid < b.metadata.uid ? -1 : 1
}

export function newCondition(
  type: string,
  reason: string,
  message: string,
  nowMs: number,
  status = "True",
): JobCondition {
  const now = formatTime(nowMs)
  return { type, status, reason, message, lastProbeTime: now, lastTransitionTime: now }
}
