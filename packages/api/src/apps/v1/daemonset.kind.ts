/** DaemonSet (apps/v1). Mirrors: pkg/registry/apps/daemonset */
import { defineKind, semanticEqual, type Kind } from "@knarr/apimachinery"
import {
  age,
  containerImages,
  containerNames,
  integer,
  labelsText,
  selectorOrNone,
  text,
  wide,
} from "../../columns.ts"
import { setDaemonSetDefaults } from "./workload.defaults.ts"
import { dropDisabledFields } from "../../core/v1/pod-disabled-fields.ts"
import { templateWarnings } from "../../core/v1/pod.warnings.ts"
import { validateDaemonSetStatus } from "./workload-status.validate.ts"
import { validateDaemonSet } from "./workload.validate.ts"
import type { DaemonSet } from "./types.gen.ts"

/** Counts the templates that a set has had, for clients of another age. */
const generationAnnotation = "deprecated.daemonset.template.generation"

export const daemonSet: Kind<DaemonSet> = defineKind<DaemonSet>({
  group: "apps",
  version: "v1",
  kind: "DaemonSet",
  plural: "daemonsets",
  shortNames: ["ds"],
  categories: ["all"],
  namespaced: true,
  subresources: ["status"],
  schema: "io.k8s.api.apps.v1.DaemonSet",
  storagePrefix: "daemonsets",
  internalAnnotations: [generationAnnotation],
  columns: [
    integer("Desired", ({ status }) => status.desiredNumberScheduled),
    integer("Current", ({ status }) => status.currentNumberScheduled),
    integer("Ready", ({ status }) => status.numberReady),
    integer("Up-to-date", ({ status }) => status.updatedNumberScheduled ?? 0),
    integer("Available", ({ status }) => status.numberAvailable ?? 0),
    text("Node Selector", ({ spec }) => labelsText(spec.template.spec?.nodeSelector)),
    age,
    wide("Containers", ({ spec }) => containerNames(spec.template.spec)),
    wide("Images", ({ spec }) => containerImages(spec.template.spec)),
    wide("Selector", ({ spec }) => selectorOrNone(spec.selector)),
  ],
  setDefaults(set) {
    setDaemonSetDefaults(set)
    const { metadata } = set
    if (metadata.annotations?.[generationAnnotation] === undefined)
      metadata.annotations = { ...metadata.annotations, [generationAnnotation]: "0" }
  },
  prepareForCreate({ metadata, spec }) {
    dropDisabledFields(spec.template.spec)
    metadata.annotations = { ...metadata.annotations, [generationAnnotation]: "1" }
  },
  prepareForUpdate({ metadata, spec }, old) {
    dropDisabledFields(spec.template.spec)
    const before = Number(old.metadata.annotations?.[generationAnnotation] ?? 0)
    const changed = !semanticEqual(spec.template, old.spec.template)
    metadata.annotations = {
      ...metadata.annotations,
      [generationAnnotation]: String(changed ? before + 1 : before),
    }
  },
  validate: validateDaemonSet,
  validateStatusUpdate: validateDaemonSetStatus,
  warnings: ({ spec }, old) =>
    old && semanticEqual(spec.template, old.spec.template)
      ? []
      : templateWarnings("spec.template", spec.template),
})
