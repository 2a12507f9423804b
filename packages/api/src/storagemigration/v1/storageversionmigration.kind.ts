/** StorageVersionMigration (storagemigration.k8s.io/v1). Mirrors: pkg/registry/storagemigration/storageversionmigration */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { nameColumn, text } from "../../columns.ts"
import {
  validateStorageVersionMigration,
  validateStorageVersionMigrationStatus,
  validateStorageVersionMigrationUpdate,
} from "./storageversionmigration.validate.ts"
import type { StorageVersionMigration } from "./types.gen.ts"

export const storageVersionMigration: Kind<StorageVersionMigration> = defineKind<StorageVersionMigration>({
  group: "storagemigration.k8s.io",
  version: "v1",
  kind: "StorageVersionMigration",
  plural: "storageversionmigrations",
  namespaced: false,
  subresources: ["status"],
  statusKeeps: "metadata",
  releaseStoresVersion: "v1beta1",
  schema: "io.k8s.api.storagemigration.v1.StorageVersionMigration",
  storagePrefix: "storageversionmigrations",
  columns: [
    nameColumn(undefined, 0, ""),
    text("Resource", ({ spec: { resource } }) =>
      resource.group ? `${resource.resource}.${resource.group}` : resource.resource,
    ),
    text(
      "Status",
      ({ status }) =>
        status.conditions?.findLast(
          ({ type, status: is }) => is === "True" && ["Running", "Failed", "Succeeded"].includes(type),
        )?.type ?? "Unknown",
    ),
  ],
  hasGeneration: false,
  allowUnconditionalUpdate: false,
  validate: validateStorageVersionMigration,
  validateUpdate: validateStorageVersionMigrationUpdate,
  validateStatusUpdate: validateStorageVersionMigrationStatus,
})
