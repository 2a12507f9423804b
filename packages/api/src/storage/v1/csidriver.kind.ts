/** CSIDriver (storage.k8s.io/v1). Mirrors: pkg/registry/storage/csidriver */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { age, boolean, text } from "../../columns.ts"
import { csiDriverWarnings, validateCSIDriver, validateCSIDriverUpdate } from "./csidriver.validate.ts"
import type { CSIDriver } from "./types.gen.ts"

export const csiDriver: Kind<CSIDriver> = defineKind<CSIDriver>({
  group: "storage.k8s.io",
  version: "v1",
  kind: "CSIDriver",
  plural: "csidrivers",
  namespaced: false,
  raisesGeneration: true,
  returnDeletedObject: true,
  schema: "io.k8s.api.storage.v1.CSIDriver",
  storagePrefix: "csidrivers",
  columns: [
    boolean("AttachRequired", ({ spec }) => spec.attachRequired ?? true),
    boolean("PodInfoOnMount", ({ spec }) => spec.podInfoOnMount ?? false),
    boolean("StorageCapacity", ({ spec }) => spec.storageCapacity ?? false),
    text(
      "TokenRequests",
      ({ spec }) => spec.tokenRequests?.map(({ audience }) => audience).join(",") ?? "<unset>",
    ),
    boolean("RequiresRepublish", ({ spec }) => spec.requiresRepublish ?? false),
    text("Modes", ({ spec }) => (spec.volumeLifecycleModes ?? []).join(",") || "<none>"),
    age,
  ],
  setDefaults({ spec }) {
    spec.attachRequired ??= true
    spec.podInfoOnMount ??= false
    spec.storageCapacity ??= false
    spec.fsGroupPolicy ??= "ReadWriteOnceWithFSType"
    if (!spec.volumeLifecycleModes?.length) spec.volumeLifecycleModes = ["Persistent"]
    spec.requiresRepublish ??= false
    spec.seLinuxMount ??= false
    spec.preventPodSchedulingIfMissing ??= false
  },
  allowUnconditionalUpdate: false,
  validate: validateCSIDriver,
  validateUpdate: validateCSIDriverUpdate,
  warnings: csiDriverWarnings,
})
