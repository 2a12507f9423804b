/** DeviceTaintRule (resource.k8s.io/v1). Mirrors: pkg/registry/resource/devicetaintrule */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { age, since, text } from "../../columns.ts"
import { setTaintDefaults } from "./device-taint.defaults.ts"
import { validateDeviceTaintRule, validateDeviceTaintRuleStatus } from "./devicetaintrule.validate.ts"
import type { DeviceTaintRule } from "./types.gen.ts"

export const deviceTaintRule: Kind<DeviceTaintRule> = defineKind<DeviceTaintRule>({
  group: "resource.k8s.io",
  version: "v1",
  kind: "DeviceTaintRule",
  plural: "devicetaintrules",
  namespaced: false,
  subresources: ["status"],
  statusKeeps: "metadata",
  releaseStoresVersion: "v1beta2",
  schema: "io.k8s.api.resource.v1.DeviceTaintRule",
  storagePrefix: "devicetaintrules",
  columns: [
    text("Key", ({ spec }) => spec.taint.key),
    text("Value", ({ spec }) => spec.taint.value ?? ""),
    text("Effect", ({ spec }) => spec.taint.effect),
    text("TimeAdded", ({ spec }, nowMs) => (spec.taint.timeAdded ? since(spec.taint.timeAdded, nowMs) : "")),
    age,
  ],
  setDefaults({ spec }, nowMs) {
    setTaintDefaults(spec.taint, nowMs)
  },
  validate: validateDeviceTaintRule,
  validateStatusUpdate: validateDeviceTaintRuleStatus,
  allowUnconditionalUpdate: false,
})
