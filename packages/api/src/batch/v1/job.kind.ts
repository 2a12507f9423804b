/** Job (batch/v1). Mirrors: pkg/registry/batch/job */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { age, containerImages, containerNames, selectorOrNone, text, wide } from "../../columns.ts"
import { completionsText, durationText, jobStatusText } from "./job-text.ts"
import { setJobDefaults } from "./job.defaults.ts"
import { jobWarnings } from "./job.warnings.ts"
import { prepareJobForCreate, prepareJobForUpdate } from "./job.strategy.ts"
import { validateJobStatusUpdate } from "./job-status.validate.ts"
import { validateJob, validateJobUpdate } from "./job.validate.ts"
import type { Job } from "./types.gen.ts"

const orphaned =
  "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or " +
  "set propagationPolicy=Orphan to suppress this warning"

export const job: Kind<Job> = defineKind<Job>({
  group: "batch",
  version: "v1",
  kind: "Job",
  plural: "jobs",
  categories: ["all"],
  namespaced: true,
  subresources: ["status"],
  garbageCollectionPolicy: "OrphanDependents",
  deleteWarnings: ({ orphanDependents, propagationPolicy }) =>
    orphanDependents === undefined && !propagationPolicy ? [orphaned] : [],
  schema: "io.k8s.api.batch.v1.Job",
  storagePrefix: "jobs",
  columns: [
    text("Status", jobStatusText),
    text("Completions", completionsText),
    text("Duration", durationText),
    age,
    wide("Containers", ({ spec }) => containerNames(spec.template.spec)),
    wide("Images", ({ spec }) => containerImages(spec.template.spec)),
    wide("Selector", ({ spec }) => selectorOrNone(spec.selector)),
  ],
  setDefaults: setJobDefaults,
  prepareForCreate: prepareJobForCreate,
  prepareForUpdate: prepareJobForUpdate,
  validate: validateJob,
  validateUpdate: validateJobUpdate,
  validateStatusUpdate: validateJobStatusUpdate,
  warnings: jobWarnings,
  selectableFields: { "status.successful": ({ status }) => String(status.succeeded ?? 0) },
  refuseField: (field) => `field label ${JSON.stringify(field)} not supported for Job`,
})
