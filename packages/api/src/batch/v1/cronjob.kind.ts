/** CronJob (batch/v1). Mirrors: pkg/registry/batch/cronjob */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { CronJob } from "./types.gen.ts"

export const cronJob: Kind<CronJob> = defineKind<CronJob>({
  group: "batch",
  version: "v1",
  kind: "CronJob",
  plural: "cronjobs",
  shortNames: ["cj"],
  categories: ["all"],
  namespaced: true,
  subresources: ["status"],
  schema: "io.k8s.api.batch.v1.CronJob",
  storagePrefix: "cronjobs",
})
