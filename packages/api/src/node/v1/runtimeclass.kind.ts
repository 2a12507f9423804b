/** RuntimeClass (node.k8s.io/v1). Mirrors: pkg/registry/node/runtimeclass */
import {
  defineKind,
  type Kind,
  field,
  type FieldError,
  isDNS1123Label,
  validateLabels,
} from "@knarr/apimachinery"
import { age, text } from "../../columns.ts"
import { declaredReasons, immutableMessage } from "../../checks.ts"
import type { Toleration } from "../../core/v1/types.gen.ts"
import { goValue } from "../../go-value.ts"
import { validateTolerations } from "../../core/v1/affinity.validate.ts"
import { nodeLabelDeprecation } from "../../core/v1/node-label.warnings.ts"
import { validateResourceRequirements } from "../../core/v1/resources.validate.ts"
import type { RuntimeClass } from "./types.gen.ts"

export const runtimeClass: Kind<RuntimeClass> = defineKind<RuntimeClass>({
  group: "node.k8s.io",
  version: "v1",
  kind: "RuntimeClass",
  plural: "runtimeclasses",
  namespaced: false,
  finalizers: "qualified",
  schema: "io.k8s.api.node.v1.RuntimeClass",
  storagePrefix: "runtimeclasses",
  columns: [text("Handler", ({ handler }) => handler), age],
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: false,
  validate: ({ handler, overhead, scheduling }, old) => [
    ...validateResourceRequirements("overhead", { limits: overhead?.podFixed }, new Set()),
    ...validateLabels(scheduling?.nodeSelector ?? {}, "scheduling.nodeSelector"),
    ...validateTolerations("scheduling.tolerations", scheduling?.tolerations),
    ...duplicates(scheduling?.tolerations ?? []),
    // What the type itself declares is told last.
    ...(old && handler !== old.handler ? [field.invalid("handler", null, immutableMessage)] : []),
    ...(handler
      ? declaredReasons("handler", handler, isDNS1123Label(handler))
      : [field.required("handler", "")]),
  ],
  warnings: ({ scheduling }) =>
    Object.keys(scheduling?.nodeSelector ?? {}).flatMap((key) => {
      const message = nodeLabelDeprecation(key)
      return message ? [`scheduling.nodeSelector: ${message}`] : []
    }),
})

function duplicates(tolerations: readonly Toleration[]): FieldError[] {
  const seen = new Set<string>()
  return tolerations.flatMap((toleration, i) => {
    const { key = "", operator = "", value = "", effect = "" } = toleration
    const all = JSON.stringify([key, operator, value, effect])
    if (seen.has(all))
      return [field.duplicate(`scheduling.tolerations[${i}]`, goValue("core.Toleration", toleration))]
    seen.add(all)
    return []
  })
}
