/** Namespace (v1). Mirrors: pkg/registry/core/namespace */
import { defineKind, type Kind, nameIsDNSLabel } from "@knarr/apimachinery"
import { age, text } from "../../columns.ts"
import { validateNamespace, validateNamespaceStatusUpdate } from "./node.validate.ts"
import type { Namespace } from "./types.gen.ts"

export const namespace: Kind<Namespace> = defineKind<Namespace>({
  group: "",
  version: "v1",
  kind: "Namespace",
  plural: "namespaces",
  shortNames: ["ns"],
  namespaced: false,
  verbs: ["create", "delete", "get", "list", "patch", "update", "watch"],
  subresources: [{ name: "finalize", verbs: ["update"] }, "status"],
  schema: "io.k8s.api.core.v1.Namespace",
  columns: [text("Status", ({ status }) => status.phase ?? ""), age],
  setDefaults(obj) {
    obj.spec ??= {}
    obj.status ??= {}
    obj.status.phase ||= "Active"
    labelWithName(obj)
  },
  hasGeneration: false,
  validateName: nameIsDNSLabel,
  prepareForCreate(obj) {
    obj.status = { phase: "Active" }
    labelWithName(obj)
    const finalizers = (obj.spec.finalizers ??= [])
    if (!finalizers.includes("kubernetes")) finalizers.push("kubernetes")
  },
  // Finalizers change through their own endpoint.
  prepareForUpdate(obj, old) {
    if (old.spec.finalizers) obj.spec.finalizers = [...old.spec.finalizers]
    else delete obj.spec.finalizers
  },
  // What is in it goes first: its controller takes the finalizer when nothing is left.
  termination: {
    begin(obj) {
      obj.status = { ...obj.status, phase: "Terminating" }
    },
    isHeld: ({ spec }) => (spec?.finalizers?.length ?? 0) > 0,
  },
  validate: validateNamespace,
  validateStatusUpdate: validateNamespaceStatusUpdate,
  selectableFields: {
    "status.phase": ({ status }) => status.phase ?? "",
  },
})

/** A generated name is known only when the object is created. */
function labelWithName({ metadata }: Namespace): void {
  if (metadata.name) metadata.labels = { ...metadata.labels, "kubernetes.io/metadata.name": metadata.name }
}
