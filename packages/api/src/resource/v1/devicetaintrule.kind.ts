/** DeviceTaintRule (resource.k8s.io/v1). Mirrors: pkg/registry/resource/devicetaintrule */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { DeviceTaintRule } from "./types.gen.ts"

export const deviceTaintRule: Kind<DeviceTaintRule> = defineKind<DeviceTaintRule>({
  group: "resource.k8s.io",
  version: "v1",
  kind: "DeviceTaintRule",
  plural: "devicetaintrules",
  namespaced: false,
  subresources: ["status"],
  schema: "io.k8s.api.resource.v1.DeviceTaintRule",
  storagePrefix: "devicetaintrules",
})
