/** DeviceClass (resource.k8s.io/v1). Mirrors: pkg/registry/resource/deviceclass */
import { defineKind, isPathSegmentName, type Kind, nameIsDNSSubdomain } from "@knarr/apimachinery"
import { inBytes } from "../../checks.ts"
import { age } from "../../columns.ts"
import { validateDeviceClass } from "./deviceclass.validate.ts"
import type { DeviceClass } from "./types.gen.ts"

export const deviceClass: Kind<DeviceClass> = defineKind<DeviceClass>({
  group: "resource.k8s.io",
  version: "v1",
  kind: "DeviceClass",
  plural: "deviceclasses",
  namespaced: false,
  returnDeletedObject: true,
  schema: "io.k8s.api.resource.v1.DeviceClass",
  storagePrefix: "deviceclasses",
  columns: [age],
  validateName: (name, prefix) =>
    prefix ? isPathSegmentName(name) : nameIsDNSSubdomain(name, false).map(inBytes),
  validate: validateDeviceClass,
  hasGeneration: true,
})
