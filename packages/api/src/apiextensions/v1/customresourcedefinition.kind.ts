/** CustomResourceDefinition (apiextensions.k8s.io/v1). Mirrors: pkg/registry/apiextensions/customresourcedefinition */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { text, wide } from "../../columns.ts"
import {
  nameOfDefinition,
  validateDefinition,
  validateDefinitionStatus,
} from "./customresourcedefinition.validate.ts"
import { beginDefinitionEnd } from "./definition-conditions.ts"
import { definitionWarnings } from "./definition.warnings.ts"
import { setDefinitionDefaults } from "./definition.defaults.ts"
import type { CustomResourceDefinition } from "./types.gen.ts"

export const customResourceDefinition: Kind<CustomResourceDefinition> = defineKind<CustomResourceDefinition>({
  group: "apiextensions.k8s.io",
  version: "v1",
  kind: "CustomResourceDefinition",
  plural: "customresourcedefinitions",
  shortNames: ["crd", "crds"],
  categories: ["api-extensions"],
  namespaced: false,
  subresources: ["status"],
  finalizers: "qualified",
  repeatsProblems: true,
  releaseStoresVersion: "v1beta1",
  schema: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
  columns: [
    text("Scope", ({ spec }) => spec.scope),
    text("Versions", ({ spec }) =>
      (spec.versions ?? [])
        .filter(({ served }) => served)
        .map(({ name, storage }) => (storage ? `${name}(storage)` : name))
        .sort()
        .join(","),
    ),
    { name: "Created At", type: "date", read: ({ metadata }) => metadata.creationTimestamp },
    wide("Group", ({ spec }) => spec.group),
    wide("Kind", ({ spec }) => spec.names.kind ?? ""),
    wide("ShortNames", ({ spec }) => (spec.names.shortNames ?? []).join(",")),
    {
      name: "Established",
      type: "boolean",
      priority: 1,
      read: ({ status }) =>
        status.conditions?.some(({ type, status: is }) => type === "Established" && is === "True") ?? false,
    },
  ],
  setDefaults: setDefinitionDefaults,
  prepareForCreate(definition) {
    delete definition.status.storedVersions
    addStoredVersion(definition)
  },
  prepareForUpdate: addStoredVersion,
  validateName: nameOfDefinition,
  validate: validateDefinition,
  validateStatusUpdate: validateDefinitionStatus,
  warnings: definitionWarnings,
  termination: { begin: beginDefinitionEnd, isHeld: () => false },
  allowUnconditionalUpdate: false,
})

/** The version in which objects are stored from now on is one of those in which there may be some. */
function addStoredVersion({ spec, status }: CustomResourceDefinition): void {
  const stored = spec.versions?.find(({ storage }) => storage)?.name
  if (stored !== undefined && !status.storedVersions?.includes(stored))
    (status.storedVersions ??= []).push(stored)
}
