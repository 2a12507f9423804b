/** Deployment (apps/v1). Mirrors: pkg/registry/apps/deployment */
import { defineKind, type Kind, semanticEqual } from "@knarr/apimachinery"
import { age, containerImages, containerNames, selectorText, text, wide } from "../../columns.ts"
import { setDeploymentDefaults } from "./workload.defaults.ts"
import { dropDisabledFields } from "../../core/v1/pod-disabled-fields.ts"
import { workloadWarnings } from "../../core/v1/pod.warnings.ts"
import { validateDeploymentStatus } from "./workload-status.validate.ts"
import { validateDeployment, validateSelectorUpdate } from "./workload.validate.ts"
import type { Deployment } from "./types.gen.ts"

export const deployment: Kind<Deployment> = defineKind<Deployment>({
  group: "apps",
  version: "v1",
  kind: "Deployment",
  plural: "deployments",
  shortNames: ["deploy"],
  categories: ["all"],
  namespaced: true,
  subresources: ["scale", "status"],
  statusKeeps: ["labels"],
  schema: "io.k8s.api.apps.v1.Deployment",
  storagePrefix: "deployments",
  columns: [
    text("Ready", ({ spec, status }) => `${status.readyReplicas ?? 0}/${spec.replicas ?? 0}`),
    text("Up-to-date", ({ status }) => status.updatedReplicas ?? 0),
    text("Available", ({ status }) => status.availableReplicas ?? 0),
    age,
    wide("Containers", ({ spec }) => containerNames(spec.template.spec)),
    wide("Images", ({ spec }) => containerImages(spec.template.spec)),
    wide("Selector", ({ spec }) => selectorText(spec.selector)),
  ],
  setDefaults: setDeploymentDefaults,
  prepareForCreate({ spec }) {
    dropDisabledFields(spec.template.spec)
  },
  prepareForUpdate({ metadata, spec }, old) {
    dropDisabledFields(spec.template.spec)
    // The revision annotation is part of what the controller observes.
    if (
      metadata.generation === old.metadata.generation &&
      !semanticEqual(metadata.annotations, old.metadata.annotations)
    )
      metadata.generation = (old.metadata.generation ?? 0) + 1
  },
  validate: validateDeployment,
  validateUpdate: validateSelectorUpdate,
  validateStatusUpdate: validateDeploymentStatus,
  warnings: workloadWarnings,
})
