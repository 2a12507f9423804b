/** StatefulSet (apps/v1). Mirrors: pkg/registry/apps/statefulset */
import { defineKind, type Kind, nameIsDNSLabel } from "@knarr/apimachinery"
import { age, containerImages, containerNames, text, wide } from "../../columns.ts"
import { setStatefulSetDefaults } from "./workload.defaults.ts"
import { dropDisabledFields } from "../../core/v1/pod-disabled-fields.ts"
import { statefulSetWarnings } from "./statefulset.warnings.ts"
import { validateStatefulSet, validateStatefulSetUpdate } from "./statefulset.validate.ts"
import { validateStatefulSetStatus } from "./workload-status.validate.ts"
import type { StatefulSet } from "./types.gen.ts"

export const statefulSet: Kind<StatefulSet> = defineKind<StatefulSet>({
  group: "apps",
  version: "v1",
  kind: "StatefulSet",
  plural: "statefulsets",
  shortNames: ["sts"],
  categories: ["all"],
  namespaced: true,
  subresources: ["scale", "status"],
  schema: "io.k8s.api.apps.v1.StatefulSet",
  storagePrefix: "statefulsets",
  columns: [
    text("Ready", ({ spec, status }) => `${status.readyReplicas ?? 0}/${spec.replicas ?? 0}`),
    age,
    wide("Containers", ({ spec }) => containerNames(spec.template.spec)),
    wide("Images", ({ spec }) => containerImages(spec.template.spec)),
  ],
  setDefaults: setStatefulSetDefaults,
  prepareForCreate({ spec }) {
    dropDisabledFields(spec.template.spec)
  },
  prepareForUpdate({ spec }) {
    dropDisabledFields(spec.template.spec)
  },
  validate: validateStatefulSet,
  validateUpdate: validateStatefulSetUpdate,
  validateStatusUpdate: validateStatefulSetStatus,
  warnings: statefulSetWarnings,
  validateName: nameIsDNSLabel,
})
