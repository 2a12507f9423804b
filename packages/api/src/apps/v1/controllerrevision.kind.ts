/** ControllerRevision (apps/v1). Mirrors: pkg/registry/apps/controllerrevision */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { ControllerRevision } from "./types.gen.ts"

export const controllerRevision: Kind<ControllerRevision> = defineKind<ControllerRevision>({
  group: "apps",
  version: "v1",
  kind: "ControllerRevision",
  plural: "controllerrevisions",
  namespaced: true,
  schema: "io.k8s.api.apps.v1.ControllerRevision",
  storagePrefix: "controllerrevisions",
})
