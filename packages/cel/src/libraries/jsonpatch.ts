/**
 * What mutating policies have beside the others: keys in the paths of JSON patches.
 * Mirrors: apiserver pkg/cel/library/jsonpatch.go
 */
import { overload } from "../check/declarations.ts"
import type { EnvironmentOptions } from "../environment.ts"

/** For {@link EnvironmentOptions.functions}. */
export const jsonPatchFunctions: NonNullable<EnvironmentOptions["functions"]> = {
  "jsonpatch.escapeKey": [
    {
      overload: overload("string_jsonpatch_escapeKey_string", "string", "string"),
      run: (key) => String(key).replaceAll("~", "~0").replaceAll("/", "~1"),
    },
  ],
}
