/** CSIStorageCapacity (storage.k8s.io/v1). Mirrors: pkg/registry/storage/csistoragecapacity */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { nodeSelectorWarnings } from "../../core/v1/node-label.warnings.ts"
import { validateCSIStorageCapacity } from "./csistoragecapacity.validate.ts"
import type { CSIStorageCapacity } from "./types.gen.ts"

export const csiStorageCapacity: Kind<CSIStorageCapacity> = defineKind<CSIStorageCapacity>({
  group: "storage.k8s.io",
  version: "v1",
  kind: "CSIStorageCapacity",
  plural: "csistoragecapacities",
  namespaced: true,
  schema: "io.k8s.api.storage.v1.CSIStorageCapacity",
  storagePrefix: "csistoragecapacities",
  allowUnconditionalUpdate: false,
  validate: validateCSIStorageCapacity,
  warnings: ({ nodeTopology }) => nodeSelectorWarnings("nodeTopology", nodeTopology),
})
