/** FlowSchema (flowcontrol.apiserver.k8s.io/v1). Mirrors: pkg/registry/flowcontrol/flowschema */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { FlowSchema } from "./types.gen.ts"

export const flowSchema: Kind<FlowSchema> = defineKind<FlowSchema>({
  group: "flowcontrol.apiserver.k8s.io",
  version: "v1",
  kind: "FlowSchema",
  plural: "flowschemas",
  namespaced: false,
  subresources: ["status"],
  schema: "io.k8s.api.flowcontrol.v1.FlowSchema",
  storagePrefix: "flowschemas",
})
