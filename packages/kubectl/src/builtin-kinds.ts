/** Built-in kinds by group, version and kind, for strategic merge patches. Loaded only by commands that need it. */
import { kinds } from "@knarr/api"
import type { Kind } from "@knarr/apimachinery"
import type { Obj } from "./object.ts"

/** The built-in kind of an object; undefined for custom resources. */
export function builtinKind(obj: Obj): Kind | undefined {
  return kinds.find((one) => one.kind === obj["kind"] && one.apiVersion === obj["apiVersion"])
}
