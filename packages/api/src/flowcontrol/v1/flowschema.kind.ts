/** FlowSchema (flowcontrol.apiserver.k8s.io/v1). Mirrors: pkg/registry/flowcontrol/flowschema */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { age, text } from "../../columns.ts"
import { validateFlowSchema, validateFlowSchemaStatus } from "./flowschema.validate.ts"
import type { FlowSchema } from "./types.gen.ts"

export const flowSchema: Kind<FlowSchema> = defineKind<FlowSchema>({
  group: "flowcontrol.apiserver.k8s.io",
  version: "v1",
  kind: "FlowSchema",
  plural: "flowschemas",
  namespaced: false,
  subresources: ["status"],
  statusKeeps: "metadata",
  schema: "io.k8s.api.flowcontrol.v1.FlowSchema",
  storagePrefix: "flowschemas",
  columns: [
    text("PriorityLevel", ({ spec }) => spec.priorityLevelConfiguration.name),
    text("MatchingPrecedence", ({ spec }) => spec.matchingPrecedence ?? 0),
    text("DistinguisherMethod", ({ spec }) => spec.distinguisherMethod?.type ?? "<none>"),
    age,
    text(
      "MissingPL",
      ({ status }) => status.conditions?.find(({ type }) => type === "Dangling")?.status ?? "?",
    ),
  ],
  validate: validateFlowSchema,
  validateStatusUpdate: validateFlowSchemaStatus,
  setDefaults({ spec }) {
    spec.matchingPrecedence ||= 1000
  },
})
