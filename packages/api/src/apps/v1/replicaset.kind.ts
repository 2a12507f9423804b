/** ReplicaSet (apps/v1). Mirrors: pkg/registry/apps/replicaset */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { age, containerImages, containerNames, integer, selectorOrNone, wide } from "../../columns.ts"
import { setReplicaSetDefaults } from "./workload.defaults.ts"
import { dropDisabledFields } from "../../core/v1/pod-disabled-fields.ts"
import { workloadWarnings } from "../../core/v1/pod.warnings.ts"
import { validateReplicaSetStatus } from "./workload-status.validate.ts"
import { validateReplicaSet, validateSelectorUpdate } from "./workload.validate.ts"
import type { ReplicaSet } from "./types.gen.ts"

export const replicaSet: Kind<ReplicaSet> = defineKind<ReplicaSet>({
  group: "apps",
  version: "v1",
  kind: "ReplicaSet",
  plural: "replicasets",
  shortNames: ["rs"],
  categories: ["all"],
  namespaced: true,
  subresources: ["scale", "status"],
  schema: "io.k8s.api.apps.v1.ReplicaSet",
  storagePrefix: "replicasets",
  columns: [
    integer("Desired", ({ spec }) => spec.replicas ?? 0),
    integer("Current", ({ status }) => status.replicas),
    integer("Ready", ({ status }) => status.readyReplicas ?? 0),
    age,
    wide("Containers", ({ spec }) => containerNames(spec.template.spec)),
    wide("Images", ({ spec }) => containerImages(spec.template.spec)),
    wide("Selector", ({ spec }) => selectorOrNone(spec.selector)),
  ],
  setDefaults: setReplicaSetDefaults,
  prepareForCreate({ spec }) {
    dropDisabledFields(spec.template.spec)
  },
  prepareForUpdate({ spec }) {
    dropDisabledFields(spec.template.spec)
  },
  validate: validateReplicaSet,
  validateUpdate: validateSelectorUpdate,
  validateStatusUpdate: validateReplicaSetStatus,
  warnings: workloadWarnings,
})
