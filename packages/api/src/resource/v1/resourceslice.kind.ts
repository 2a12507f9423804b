/** ResourceSlice (resource.k8s.io/v1). Mirrors: pkg/registry/resource/resourceslice */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { age, text } from "../../columns.ts"
import { setTaintDefaults } from "./device-taint.defaults.ts"
import { validateResourceSlice } from "./resourceslice.validate.ts"
import type { ResourceSlice } from "./types.gen.ts"

export const resourceSlice: Kind<ResourceSlice> = defineKind<ResourceSlice>({
  group: "resource.k8s.io",
  version: "v1",
  kind: "ResourceSlice",
  plural: "resourceslices",
  namespaced: false,
  returnDeletedObject: true,
  schema: "io.k8s.api.resource.v1.ResourceSlice",
  storagePrefix: "resourceslices",
  columns: [
    text("Node", ({ spec }) => spec.nodeName ?? ""),
    text("Driver", ({ spec }) => spec.driver),
    text("Pool", ({ spec }) => spec.pool.name),
    age,
  ],
  setDefaults({ spec }, nowMs) {
    for (const { taints } of spec.devices ?? [])
      for (const taint of taints ?? []) setTaintDefaults(taint, nowMs)
  },
  prepareForCreate: dropDisabledFields,
  prepareForUpdate: dropDisabledFields,
  validate: validateResourceSlice,
  selectableFields: {
    "spec.nodeName": ({ spec }) => spec.nodeName ?? "",
    "spec.driver": ({ spec }) => spec.driver,
    "spec.pool.name": ({ spec }) => spec.pool.name,
  },
  refuseField: (field) => `field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: ${field}`,
  hasGeneration: true,
})

/** Of features that this release has off by default. */
function dropDisabledFields({ spec }: ResourceSlice): void {
  delete spec.partitionTypeAttribute
  delete spec.skipNodeOperations
  for (const device of spec.devices ?? []) {
    delete device.nodeAllocatableResources
    for (const consumption of device.consumesCounters ?? []) delete consumption.compatibilityGroups
    for (const attribute of Object.values(device.attributes ?? {})) {
      delete attribute.bools
      delete attribute.ints
      delete attribute.strings
      delete attribute.versions
    }
  }
}
