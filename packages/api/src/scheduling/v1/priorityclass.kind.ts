/** PriorityClass (scheduling.k8s.io/v1). Mirrors: pkg/registry/scheduling/priorityclass */
import { defineKind, type Kind, field } from "@knarr/apimachinery"
import { age, boolean, integer, text } from "../../columns.ts"
import { immutable, oneOf } from "../../checks.ts"
import type { FieldError } from "@knarr/apimachinery"
import type { PriorityClass } from "./types.gen.ts"

export const priorityClass: Kind<PriorityClass> = defineKind<PriorityClass>({
  group: "scheduling.k8s.io",
  version: "v1",
  kind: "PriorityClass",
  plural: "priorityclasses",
  shortNames: ["pc"],
  namespaced: false,
  schema: "io.k8s.api.scheduling.v1.PriorityClass",
  storagePrefix: "priorityclasses",
  columns: [
    integer("Value", ({ value }) => value ?? 0),
    boolean("Global-Default", ({ globalDefault }) => globalDefault ?? false),
    age,
    text("PreemptionPolicy", ({ preemptionPolicy }) => preemptionPolicy ?? ""),
  ],
  setDefaults(obj) {
    obj.preemptionPolicy ??= "PreemptLowerPriority"
    obj.value ??= 0
  },
  hasGeneration: true,
  raisesGeneration: false,
  validate({ metadata, value, preemptionPolicy }, old) {
    const out: FieldError[] = []
    if (metadata.name?.startsWith("system-")) {
      const system: Readonly<Record<string, number>> = {
        "system-node-critical": 2_000_001_000,
        "system-cluster-critical": 2_000_000_000,
      }
      if (system[metadata.name] !== value)
        out.push(
          field.forbidden(
            "metadata.name",
            `priority class names with 'system-' prefix are reserved for system use only. error: ${metadata.name} is not a known system priority class`,
          ),
        )
    } else if ((value ?? 0) > 1_000_000_000) {
      out.push(field.forbidden("value", "maximum allowed value of a user defined priority is 1000000000"))
    }
    // An update cannot change it.
    if (old) return out
    return [...out, ...oneOf("preemptionPolicy", preemptionPolicy, ["PreemptLowerPriority", "Never"])]
  },
  validateUpdate(obj, old) {
    const out: FieldError[] = []
    if (obj.value !== old.value) out.push(field.forbidden("value", "may not be changed in an update."))
    return [...out, ...immutable("preemptionPolicy", obj.preemptionPolicy, old.preemptionPolicy)]
  },
})
