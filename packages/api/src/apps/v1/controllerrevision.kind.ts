/** ControllerRevision (apps/v1). Mirrors: pkg/registry/apps/controllerrevision */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { age, text } from "../../columns.ts"
import { validateControllerRevision } from "./workload.validate.ts"
import { immutable } from "../../checks.ts"
import type { ControllerRevision } from "./types.gen.ts"

export const controllerRevision: Kind<ControllerRevision> = defineKind<ControllerRevision>({
  group: "apps",
  version: "v1",
  kind: "ControllerRevision",
  plural: "controllerrevisions",
  namespaced: true,
  schema: "io.k8s.api.apps.v1.ControllerRevision",
  storagePrefix: "controllerrevisions",
  columns: [
    text("Controller", ({ metadata }) => {
      const owner = metadata.ownerReferences?.find(({ controller }) => controller)
      if (!owner) return "<none>"
      const [group] = owner.apiVersion.includes("/") ? owner.apiVersion.split("/") : [""]
      return `${(group ? `${owner.kind}.${group}` : owner.kind).toLowerCase()}/${owner.name}`
    }),
    text("Revision", ({ revision }) => revision ?? 0),
    age,
  ],
  setDefaults(obj) {
    obj.revision ??= 0
  },
  validate: validateControllerRevision,
  validateUpdate: (obj, old) => immutable("data", obj.data, old.data),
})
