/** Starts jobs on a schedule. Mirrors: pkg/controller/cronjob/cronjob_controllerv2.go */
import {
  cronJob,
  job,
  parseCron,
  type CronJob,
  type CronJobStatus,
  type Job,
  type ObjectReference,
  type Schedule,
} from "@knarr/api"
import {
  deepClone,
  formatTime,
  isAlreadyExists,
  isControlledBy,
  isNotFound,
  newControllerRef,
  refOf,
  semanticEqual,
} from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import {
  allow,
  defineController,
  recordEvents,
  type Controller,
  type ReconcileContext,
} from "@knarr/controller-kit"
import { isNamespaceTerminating } from "../workload/pod-control.ts"
import { dueTime, finishedAs, surplusJobs } from "./cron-plan.ts"

const scheduledTimeAnnotation = "batch.kubernetes.io/cronjob-scheduled-timestamp"

export const cronJobController: Controller = defineController<CronJob>({
  name: "cronjob-controller",
  aliases: ["cronjob"],
  serviceAccount: "cronjob-controller",
  rbac: [
    allow("batch", "cronjobs", "get list watch update"),
    allow("batch", "jobs", "get list watch create update delete patch"),
    allow("batch", "cronjobs/status", "update"),
    allow("batch", "cronjobs/finalizers", "update"),
    allow("", "pods", "list delete"),
    recordEvents,
  ],
  for: cronJob,
  owns: [job],
  async reconcile(ref, ctx) {
    const cron = ctx.cache.get(cronJob, ref)
    if (!cron) return undefined
    const jobs = [...ctx.cache.list(job, { ownedBy: cron })]
    jobs.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    const status = await trackJobs(cron, jobs, ctx)
    const result = await startDue(cron, status, jobs, ctx)
    if (!semanticEqual(status, cron.status ?? {})) {
      await ctx.client.update(cronJob, { ...cron, status }, { subresource: "status", signal: ctx.signal })
    }
    for (const old of surplusJobs(cron, jobs)) await deleteJob(cron, old, ctx)
    return result
  },
})

function referenceTo(one: Job): ObjectReference {
  const { namespace, name, uid, resourceVersion } = one.metadata
  return { kind: job.kind, apiVersion: job.apiVersion, namespace, name, uid, resourceVersion }
}

/** The status after a look at the jobs: ended ones leave the list of active ones. */
async function trackJobs(
  cron: CronJob,
  jobs: readonly Job[],
  { client, recorder, signal }: ReconcileContext,
): Promise<CronJobStatus> {
  const status: CronJobStatus = deepClone(cron.status ?? {})
  const active = new Map((status.active ?? []).map((one) => [one.uid, one]))
  let fresh: CronJob | undefined
  for (const one of jobs) {
    const { uid, name, namespace } = one.metadata
    const finished = finishedAs(one)
    const listed = active.has(uid)
    if (!listed && !finished) {
      // The cached cron job may be older than the job that was started for it.
      fresh ??= await client.get(cronJob, refOf(cron), { signal })
      if (fresh.status?.active?.some((each) => each.uid === uid)) continue
      const message = `Saw a job that the controller did not create or forgot: ${name}`
      recorder.event(cron, "Warning", "UnexpectedJob", message)
      continue
    }
    if (listed && finished) {
      active.delete(uid)
      recorder.event(cron, "Normal", "SawCompletedJob", `Saw completed job: ${name}, condition: ${finished}`)
    }
    if (finished === "Complete" && namespace) {
      const ended = one.status?.completionTime
      if (ended && (!status.lastSuccessfulTime || ended > status.lastSuccessfulTime))
        status.lastSuccessfulTime = ended
    }
  }
  const present = new Set(jobs.map((one) => one.metadata.uid))
  for (const [uid, one] of active) {
    if (uid !== undefined && present.has(uid)) continue
    // Created a moment ago and not in the cache yet, or really gone.
    try {
      const live = await client.get(job, { namespace: one.namespace, name: one.name ?? "" }, { signal })
      if (live.metadata.uid === uid) continue
    } catch (thrown) {
      if (!isNotFound(thrown)) throw thrown
    }
    active.delete(uid)
    recorder.event(cron, "Normal", "MissingJob", `Active job went missing: ${one.name}`)
  }
  if (active.size > 0) status.active = [...active.values()]
  else delete status.active
  return status
}

async function startDue(
  cron: CronJob,
  status: CronJobStatus,
  jobs: readonly Job[],
  ctx: ReconcileContext,
): Promise<{ afterMs: number } | undefined> {
  const { recorder, clock, client, signal } = ctx
  if (cron.metadata.deletionTimestamp || cron.spec.suspend) return undefined
  let schedule: Schedule
  try {
    schedule = parseCron(cron.spec.schedule, cron.spec.timeZone ?? "UTC")
    schedule.next(clock.now())
  } catch (thrown) {
    const zone = thrown instanceof RangeError
    const text = zone
      ? `invalid timeZone: ${cron.spec.timeZone}: ${messageOf(thrown)}`
      : `unparseable schedule: ${cron.spec.schedule} : ${messageOf(thrown)}`
    recorder.event(cron, "Warning", zone ? "UnknownTimeZone" : "UnparseableSchedule", text)
    return undefined
  }
  const nowMs = clock.now()
  const { dueMs, nextMs, missed } = dueTime({ ...cron, status }, schedule, nowMs)
  const again = nextMs === undefined ? undefined : { afterMs: nextMs - nowMs + 100 }
  if (missed === "many") {
    const message =
      "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
    recorder.event(cron, "Warning", "TooManyMissedTimes", message)
  }
  if (dueMs === undefined) return again
  const deadline = cron.spec.startingDeadlineSeconds
  if (deadline !== undefined && dueMs + deadline * 1000 < nowMs) {
    recorder.event(
      cron,
      "Warning",
      "MissSchedule",
      `Missed scheduled time to start a job: ${new Date(dueMs).toUTCString()}`,
    )
    return again
  }
  const name = `${cron.metadata.name}-${Math.floor(dueMs / minuteMs)}`
  if (jobs.some((one) => one.metadata.name === name) || status.active?.some((one) => one.name === name))
    return again
  const running = status.active ?? []
  if (cron.spec.concurrencyPolicy === "Forbid" && running.length > 0) {
    const message = "Not starting job because prior execution is running and concurrency policy is Forbid"
    recorder.event(cron, "Normal", "JobAlreadyActive", message)
    return again
  }
  if (cron.spec.concurrencyPolicy === "Replace") {
    for (const { uid } of running) {
      const old = jobs.find((one) => one.metadata.uid === uid)
      if (old) await deleteJob(cron, old, ctx)
    }
    delete status.active
  }
  const template = cron.spec.jobTemplate
  const draft = {
    metadata: {
      name,
      namespace: cron.metadata.namespace,
      labels: { ...template.metadata?.labels },
      annotations: {
        ...template.metadata?.annotations,
        [scheduledTimeAnnotation]: scheduledTime(dueMs, cron.spec.timeZone),
      },
      ownerReferences: [newControllerRef(cron, cronJob)],
    },
    spec: deepClone(template.spec),
  }
  let created: Job
  try {
    created = await client.create(job, draft, { signal })
    recorder.event(cron, "Normal", "SuccessfulCreate", `Created job ${name}`)
  } catch (thrown) {
    if (isNamespaceTerminating(thrown)) return undefined
    if (!isAlreadyExists(thrown)) {
      if (!signal.aborted)
        recorder.event(cron, "Warning", "FailedCreate", `Error creating job: ${messageOf(thrown)}`)
      throw thrown
    }
    created = await client.get(job, { namespace: cron.metadata.namespace, name }, { signal })
    if (!isControlledBy(created, cron)) return again
  }
  if (!finishedAs(created)) status.active = [...(status.active ?? []), referenceTo(created)]
  status.lastScheduleTime = formatTime(dueMs)
  return again
}

const minuteMs = 60_000

/** RFC 3339 in the cron job's zone. */
function scheduledTime(ms: number, timeZone: string | undefined): string {
  if (!timeZone) return formatTime(ms)
  const parts = new Intl.DateTimeFormat("en-US", { timeZone, timeZoneName: "longOffset" }).formatToParts(ms)
  const offset = parts.find((part) => part.type === "timeZoneName")?.value.slice(3) ?? ""
  if (offset === "") return formatTime(ms)
  const sign = offset.startsWith("-") ? -1 : 1
  const [hours, minutes] = offset.slice(1).split(":").map(Number)
  return formatTime(ms + sign * (hours! * 60 + minutes!) * minuteMs).slice(0, -1) + offset
}

async function deleteJob(
  cron: CronJob,
  old: Job,
  { client, recorder, signal }: ReconcileContext,
): Promise<void> {
  try {
    await client.delete(job, refOf(old), { propagationPolicy: "Background", signal })
  } catch (thrown) {
    if (isNotFound(thrown)) return
    if (!signal.aborted) recorder.event(cron, "Warning", "FailedDelete", `Deleted job: ${messageOf(thrown)}`)
    throw thrown
  }
  recorder.event(cron, "Normal", "SuccessfulDelete", `Deleted job ${old.metadata.name}`)
}
