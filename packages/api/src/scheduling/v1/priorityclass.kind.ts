/** PriorityClass (scheduling.k8s.io/v1). Mirrors: pkg/registry/scheduling/priorityclass */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { age, boolean, integer, text } from "../../columns.ts"
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
  },
})
