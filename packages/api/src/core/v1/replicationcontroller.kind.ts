/** ReplicationController (v1). Mirrors: pkg/registry/core/replicationcontroller */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { age, containerImages, containerNames, integer, labelsText, wide } from "../../columns.ts"
import { setPodTemplateDefaults } from "./pod-spec.defaults.ts"
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
})
