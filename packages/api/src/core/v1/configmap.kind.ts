/** ConfigMap (v1). Mirrors: pkg/registry/core/configmap */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { age, text } from "../../columns.ts"
import { validateConfigMap, validateConfigMapUpdate } from "./secret.validate.ts"
import type { ConfigMap } from "./types.gen.ts"

export const configMap: Kind<ConfigMap> = defineKind<ConfigMap>({
  group: "",
  version: "v1",
  kind: "ConfigMap",
  plural: "configmaps",
  shortNames: ["cm"],
  namespaced: true,
  schema: "io.k8s.api.core.v1.ConfigMap",
  columns: [
    text(
      "Data",
      ({ data, binaryData }) => Object.keys(data ?? {}).length + Object.keys(binaryData ?? {}).length,
    ),
    age,
  ],
  validate: validateConfigMap,
  validateUpdate: validateConfigMapUpdate,
})
