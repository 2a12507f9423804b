/** PodTemplate (v1). Mirrors: pkg/registry/core/podtemplate */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { containerImages, containerNames, labelsText, text } from "../../columns.ts"
import { setPodTemplateDefaults } from "./pod-spec.defaults.ts"
import { dropDisabledFields } from "./pod-disabled-fields.ts"
import { templateWarnings } from "./pod.warnings.ts"
import { validatePodTemplate } from "./pod-spec.validate.ts"
import type { PodTemplate } from "./types.gen.ts"

export const podTemplate: Kind<PodTemplate> = defineKind<PodTemplate>({
  group: "",
  version: "v1",
  kind: "PodTemplate",
  plural: "podtemplates",
  namespaced: true,
  returnDeletedObject: true,
  schema: "io.k8s.api.core.v1.PodTemplate",
  columns: [
    text("Containers", ({ template }) => containerNames(template.spec)),
    text("Images", ({ template }) => containerImages(template.spec)),
    text("Pod Labels", ({ template }) => labelsText(template.metadata.labels)),
  ],
  setDefaults(obj) {
    setPodTemplateDefaults((obj.template ??= { metadata: {}, spec: { containers: [] } }))
  },
  hasGeneration: true,
  prepareForCreate: ({ template }) => dropDisabledFields(template.spec),
  prepareForUpdate: ({ template }) => dropDisabledFields(template.spec),
  validate: ({ template }) => validatePodTemplate("template", template),
  warnings: ({ metadata, template }, old) =>
    old && old.metadata.generation === metadata.generation ? [] : templateWarnings("template", template),
})
