/** How jobs are made ready for storing. Mirrors: pkg/registry/batch/job/strategy.go */
import { deepEqual } from "@knarr/apimachinery"
import { dropDisabledFields } from "../../core/v1/pod-disabled-fields.ts"
import type { Job } from "./types.gen.ts"

/** Gives the job its selector and its pods their labels, unless the user does it. The UID is set already. */
export function prepareJobForCreate(job: Job): void {
  const { metadata, spec } = job
  job.status = {}
  const templateMeta = (spec.template.metadata ??= {})
  if (spec.manualSelector !== true) {
    // Labels that the job took over from its template go on following it.
    const shared = deepEqual(metadata.labels, templateMeta.labels) && metadata.labels !== undefined
    const labels = (templateMeta.labels ??= {})
    labels["controller-uid"] ??= metadata.uid
    labels["job-name"] ??= metadata.name
    labels["batch.kubernetes.io/controller-uid"] ??= metadata.uid
    labels["batch.kubernetes.io/job-name"] ??= metadata.name
    if (shared) metadata.labels = { ...labels }
    const selector = (spec.selector ??= {})
    const match = (selector.matchLabels ??= {})
    match["batch.kubernetes.io/controller-uid"] ??= metadata.uid
  }
  dropDisabledFields(spec.template.spec)
}
