/** Defaults of jobs. Mirrors: pkg/apis/batch/v1/defaults.go */
import { setPodTemplateDefaults } from "../../core/v1/pod-spec.defaults.ts"
import type { CronJob, Job, JobSpec } from "./types.gen.ts"

const maxInt32 = 2 ** 31 - 1

export function setJobDefaults(job: Job): void {
  const { spec } = job
  if (spec.parallelism === undefined) {
    spec.completions ??= 1
    spec.parallelism = 1
  }
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : maxInt32
  setJobTemplateSpecDefaults(spec)
  const { labels } = spec.template.metadata
  // One and the same map: what the server adds to the template's labels is the job's own then, too.
  if (labels && Object.keys(job.metadata.labels ?? {}).length === 0) job.metadata.labels = labels
  spec.completionMode ??= "NonIndexed"
  spec.suspend ??= false
  spec.podReplacementPolicy ??= spec.podFailurePolicy ? "Failed" : "TerminatingOrFailed"
  spec.manualSelector ??= false
}

/** What a job inside a CronJob gets already: only its pod template's defaults. */
function setJobTemplateSpecDefaults(spec: JobSpec): void {
  setPodTemplateDefaults((spec.template ??= { metadata: {}, spec: { containers: [] } }))
  for (const { onPodConditions } of spec.podFailurePolicy?.rules ?? []) {
    for (const pattern of onPodConditions ?? []) pattern.status ||= "True"
  }
}

export function setCronJobDefaults({ spec }: CronJob): void {
  spec.concurrencyPolicy ||= "Allow"
  spec.suspend ??= false
  spec.successfulJobsHistoryLimit ??= 3
  spec.failedJobsHistoryLimit ??= 1
  spec.jobTemplate.metadata ??= {}
  setJobTemplateSpecDefaults(
    (spec.jobTemplate.spec ??= { template: { metadata: {}, spec: { containers: [] } } }),
  )
}
