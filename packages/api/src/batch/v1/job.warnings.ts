/** What users should know about a job that is accepted. Mirrors: pkg/api/job/warnings.go, pkg/registry/batch/job/strategy.go */
import { podNameWarnings, templateWarnings } from "../../core/v1/pod.warnings.ts"
import type { CronJob, Job, JobSpec } from "./types.gen.ts"

export function jobWarnings(job: Readonly<Job>, old?: Readonly<Job>): string[] {
  return warningsOf(job, old, "spec", job.spec)
}

export function cronJobWarnings(cronJob: Readonly<CronJob>, old?: Readonly<CronJob>): string[] {
  const out = warningsOf(cronJob, old, "spec.jobTemplate.spec", cronJob.spec.jobTemplate.spec)
  if (old && cronJob.spec.schedule?.includes("TZ"))
    out.push(
      "cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details",
    )
  return out
}

function warningsOf(
  { metadata }: Readonly<Job | CronJob>,
  old: Readonly<Job | CronJob> | undefined,
  path: string,
  spec: JobSpec,
): string[] {
  if (old && old.metadata.generation === metadata.generation) return []
  const out = old ? [] : podNameWarnings(metadata.name)
  if (
    spec.completionMode === "Indexed" &&
    (spec.completions ?? 0) > 100_000 &&
    (spec.parallelism ?? 0) > 10_000
  )
    out.push(
      `${path}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail`,
    )
  return [...out, ...templateWarnings(`${path}.template`, spec.template)]
}
