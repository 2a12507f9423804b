/** Secret (v1). Mirrors: pkg/registry/core/secret */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { age, text } from "../../columns.ts"
import { validateSecret, validateSecretUpdate } from "./secret.validate.ts"
import { secretWarnings } from "./secret.warnings.ts"
import type { Secret } from "./types.gen.ts"

export const secret: Kind<Secret> = defineKind<Secret>({
  group: "",
  version: "v1",
  kind: "Secret",
  plural: "secrets",
  namespaced: true,
  schema: "io.k8s.api.core.v1.Secret",
  columns: [
    text("Type", ({ type }) => type ?? ""),
    text("Data", ({ data }) => Object.keys(data ?? {}).length),
    age,
  ],
  setDefaults(obj) {
    obj.type ||= "Opaque"
    // What is written as text is stored as bytes; stringData wins and is never read back.
    if (obj.stringData) {
      const data = (obj.data ??= {})
      for (const name of Object.keys(obj.stringData))
        data[name] = Buffer.from(obj.stringData[name]!, "utf8").toString("base64")
      delete obj.stringData
    }
  },
  // An update that leaves the type out means the type that it has.
  prepareForUpdate(obj, old) {
    obj.type ||= old.type
  },
  validate: validateSecret,
  validateUpdate: validateSecretUpdate,
  warnings: secretWarnings,
  selectableFields: { type: ({ type }) => type ?? "" },
})
