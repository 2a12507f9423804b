/** PodTemplate (v1). Mirrors: pkg/registry/core/podtemplate */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { PodTemplate } from "./types.gen.ts"

export const podTemplate: Kind<PodTemplate> = defineKind<PodTemplate>({
  group: "",
  version: "v1",
  kind: "PodTemplate",
  plural: "podtemplates",
  namespaced: true,
  schema: "io.k8s.api.core.v1.PodTemplate",
})
