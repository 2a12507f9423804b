/** CSINode (storage.k8s.io/v1). Mirrors: pkg/registry/storage/csinode */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { age, integer } from "../../columns.ts"
import { validateCSINode, validateCSINodeStatusUpdate, validateCSINodeUpdate } from "./csinode.validate.ts"
import type { CSINode } from "./types.gen.ts"

export const csiNode: Kind<CSINode> = defineKind<CSINode>({
  group: "storage.k8s.io",
  version: "v1",
  kind: "CSINode",
  plural: "csinodes",
  namespaced: false,
  subresources: ["status"],
  statusKeeps: "metadata",
  returnDeletedObject: true,
  schema: "io.k8s.api.storage.v1.CSINode",
  storagePrefix: "csinodes",
  columns: [integer("Drivers", ({ spec }) => spec.drivers?.length ?? 0), age],
  hasGeneration: false,
  allowUnconditionalUpdate: false,
  validate: validateCSINode,
  validateUpdate: validateCSINodeUpdate,
  validateStatusUpdate: validateCSINodeStatusUpdate,
})
