/** ReplicationController (v1). Mirrors: pkg/registry/core/replicationcontroller */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { age, containerImages, containerNames, integer, labelsText, wide } from "../../columns.ts"
import { setPodTemplateDefaults } from "./pod-spec.defaults.ts"
import { dropDisabledFields } from "./pod-disabled-fields.ts"
import { workloadWarnings } from "./pod.warnings.ts"
import { validateReplicationController } from "./replication-controller.validate.ts"
import { validateReplicationControllerStatus } from "../../apps/v1/workload-status.validate.ts"
import type { ReplicationController } from "./types.gen.ts"

export const replicationController: Kind<ReplicationController> = defineKind<ReplicationController>({
  group: "",
  version: "v1",
  kind: "ReplicationController",
  plural: "replicationcontrollers",
  shortNames: ["rc"],
  categories: ["all"],
  namespaced: true,
  subresources: ["scale", "status"],
  garbageCollectionPolicy: "OrphanDependents",
  schema: "io.k8s.api.core.v1.ReplicationController",
  storagePrefix: "controllers",
  columns: [
    integer("Desired", ({ spec }) => spec.replicas ?? 0),
    integer("Current", ({ status }) => status.replicas),
    integer("Ready", ({ status }) => status.readyReplicas ?? 0),
    age,
    wide("Containers", ({ spec }) => containerNames(spec.template?.spec)),
    wide("Images", ({ spec }) => containerImages(spec.template?.spec)),
    wide("Selector", ({ spec }) => labelsText(spec.selector)),
  ],
  setDefaults(obj) {
    const { spec } = obj
    const labels = spec.template?.metadata?.labels
    if (labels) {
      if (Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels }
      if (Object.keys(obj.metadata.labels ?? {}).length === 0) obj.metadata.labels = { ...labels }
    }
    spec.replicas ??= 1
    if (spec.template) setPodTemplateDefaults(spec.template)
  },
  prepareForCreate({ spec }) {
    if (spec.template) dropDisabledFields(spec.template.spec)
  },
  prepareForUpdate({ spec }) {
    if (spec.template) dropDisabledFields(spec.template.spec)
  },
  validate: validateReplicationController,
  validateStatusUpdate: validateReplicationControllerStatus,
  // In an update upstream takes the two for one another.
  warnings: (now, old) => (old ? workloadWarnings(old, now) : workloadWarnings(now)),
  selectableFields: { "status.replicas": ({ status }) => String(status.replicas ?? 0) },
  scale: {
    getReplicas: ({ spec }) => spec.replicas ?? 0,
    setReplicas({ spec }, replicas) {
      spec.replicas = replicas
    },
    statusReplicas: ({ status }) => status.replicas ?? 0,
    selector: ({ spec }) =>
      Object.entries(spec.selector ?? {})
        .map(([key, value]) => `${key}=${value}`)
        .sort()
        .join(","),
  },
})
