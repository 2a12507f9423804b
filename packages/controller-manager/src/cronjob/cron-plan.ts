/** When a cron job is due and which of its jobs are history. Pure. Mirrors: pkg/controller/cronjob/utils.go */
import type { CronJob, Job } from "@knarr/api"
import type { Schedule } from "@knarr/api"

export interface Due {
  /** The latest moment that was missed; undefined when none was. */
  readonly dueMs: number | undefined
  readonly nextMs: number | undefined
  readonly missed: "none" | "few" | "many"
}

/** What the schedule says now, counting from the last run (or the creation) and the starting deadline. */
export function dueTime(cron: CronJob, schedule: Schedule, nowMs: number): Due {
  const last = cron.status?.lastScheduleTime ?? cron.metadata.creationTimestamp
  let fromMs = Date.parse(last)
  const deadline = cron.spec.startingDeadlineSeconds
  if (deadline !== undefined) fromMs = Math.max(fromMs, nowMs - deadline * 1000)
  const nextMs = schedule.next(nowMs)
  let dueMs: number | undefined
  let count = 0
  let at = schedule.next(fromMs)
  while (at !== undefined && at <= nowMs) {
    dueMs = at
    count++
    if (count > 100) {
      // Far behind: go on from close to now.
      const period = (schedule.next(at) ?? nowMs) - at
      const close = nowMs - 2 * Math.max(period, 60_000)
      if (close > at) {
        at = schedule.next(close)
        continue
      }
    }
    at = schedule.next(at)
  }
  return { dueMs, nextMs, missed: count === 0 ? "none" : count > 100 ? "many" : "few" }
}

export function finishedAs(job: Job): "Complete" | "Failed" | undefined {
  const found = job.status?.conditions?.find(
    (one) => (one.type === "Complete" || one.type === "Failed") && one.status === "True",
  )
  return found?.type as "Complete" | "Failed" | undefined
}

/** Ended jobs beyond the history limits, oldest first. */
export function surplusJobs(cron: CronJob, jobs: readonly Job[]): Job[] {
  const oldest = (a: Job, b: Job): number => {
    const x = a.status?.startTime ?? ""
    const y = b.status?.startTime ?? ""
    if (x !== y) return x < y ? -1 : 1
    return a.metadata.name < b.metadata.name ? -1 : 1
  }
  const beyond = (type: string, limit: number | undefined): Job[] => {
    if (limit === undefined) return []
    const ended = jobs.filter((job) => finishedAs(job) === type).sort(oldest)
    return ended.slice(0, Math.max(0, ended.length - limit))
  }
  return [
    ...beyond("Complete", cron.spec.successfulJobsHistoryLimit ?? 3),
    ...beyond("Failed", cron.spec.failedJobsHistoryLimit ?? 1),
  ]
}
