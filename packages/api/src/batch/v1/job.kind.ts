/** Job (batch/v1). Mirrors: pkg/registry/batch/job */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { Job } from "./types.gen.ts"

export const job: Kind<Job> = defineKind<Job>({
  group: "batch",
  version: "v1",
  kind: "Job",
  plural: "jobs",
  categories: ["all"],
  namespaced: true,
  subresources: ["status"],
  schema: "io.k8s.api.batch.v1.Job",
  storagePrefix: "jobs",
})
