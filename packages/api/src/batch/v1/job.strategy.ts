/** How jobs are made ready for storing. Mirrors: pkg/registry/batch/job/strategy.go, pkg/registry/batch/cronjob/strategy.go */
import { dropDisabledFields } from "../../core/v1/pod-disabled-fields.ts"
import type { CronJob, Job, JobSpec } from "./types.gen.ts"

/** Gives the job its selector and its pods their labels, unless the user does it. The UID is set already. */
export function prepareJobForCreate(job: Job): void {
  const { metadata, spec } = job
  job.status = {}
  const templateMeta = (spec.template.metadata ??= {})
  if (spec.manualSelector !== true) {
    const labels = (templateMeta.labels ??= {})
    labels["controller-uid"] ??= metadata.uid
    labels["job-name"] ??= metadata.name ?? ""
    labels["batch.kubernetes.io/controller-uid"] ??= metadata.uid
    labels["batch.kubernetes.io/job-name"] ??= metadata.name ?? ""
    const selector = (spec.selector ??= {})
    const match = (selector.matchLabels ??= {})
    match["batch.kubernetes.io/controller-uid"] ??= metadata.uid
  }
  // Labels that were taken over from the template are one map with it, and a job without any reads as its template does.
  if (templateMeta.labels && Object.keys(metadata.labels ?? {}).length === 0)
    metadata.labels = { ...templateMeta.labels }
  else if (metadata.labels === templateMeta.labels && metadata.labels)
    metadata.labels = { ...metadata.labels }
  dropDisabledJobFields(spec)
}

export function prepareJobForUpdate({ spec }: Job): void {
  dropDisabledJobFields(spec)
}

export function prepareCronJob({ spec }: CronJob): void {
  dropDisabledJobFields(spec.jobTemplate.spec)
}

function dropDisabledJobFields(spec: JobSpec): void {
  delete spec.scheduling
  dropDisabledFields(spec.template.spec)
}
