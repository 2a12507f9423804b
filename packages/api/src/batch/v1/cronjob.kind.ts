/** CronJob (batch/v1). Mirrors: pkg/registry/batch/cronjob */
import { defineKind, type Kind } from "@knarr/apimachinery"
import {
  age,
  boolean,
  containerImages,
  containerNames,
  integer,
  selectorOrNone,
  since,
  text,
  wide,
} from "../../columns.ts"
import { setCronJobDefaults } from "./job.defaults.ts"
import { cronJobWarnings } from "./job.warnings.ts"
import { prepareCronJob } from "./job.strategy.ts"
import { validateCronJob } from "./cronjob.validate.ts"
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
  columns: [
    text("Schedule", ({ spec }) => spec.schedule),
    text("Timezone", ({ spec }) => spec.timeZone ?? "<none>"),
    boolean("Suspend", ({ spec }) =>
      spec.suspend === undefined ? "<unset>" : spec.suspend ? "True" : "False",
    ),
    integer("Active", ({ status }) => status.active?.length ?? 0),
    text("Last Schedule", ({ status }, nowMs) =>
      status.lastScheduleTime ? since(status.lastScheduleTime, nowMs) : "<none>",
    ),
    age,
    wide("Containers", ({ spec }) => containerNames(spec.jobTemplate.spec?.template.spec)),
    wide("Images", ({ spec }) => containerImages(spec.jobTemplate.spec?.template.spec)),
    wide("Selector", ({ spec }) => selectorOrNone(spec.jobTemplate.spec?.selector)),
  ],
  setDefaults: setCronJobDefaults,
  prepareForCreate: prepareCronJob,
  prepareForUpdate: prepareCronJob,
  validate: validateCronJob,
  warnings: cronJobWarnings,
})
