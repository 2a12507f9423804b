/** `finalize` of a namespace changes `spec.finalizers` alone. Mirrors: pkg/registry/core/namespace/storage FinalizeREST */
import { keepFields, mainStrategy, type UpdateStrategy } from "../update-strategies.ts"
import { partOfObject } from "../verbs/stored.ts"

const strategy: UpdateStrategy = {
  keep(_kind, obj, old) {
    keepFields(obj, old, ["status"])
  },
  prepare() {},
  validate: mainStrategy.validate,
}

export const finalize = partOfObject({ resource: "namespaces", name: "finalize", strategy })
