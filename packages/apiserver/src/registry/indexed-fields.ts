/** The fields of a kind whose values every cached object carries. */
import type { Kind } from "@knarr/apimachinery"

/** Fields whose values tell objects well apart: these are indexed, for lists and for watchers. */
const indexed = new Set(["spec.nodeName", "involvedObject.uid"])

/** Beside name and namespace. The indexed ones come first, because the index looks values up by position. */
export function orderedFieldNames(kind: Kind): readonly string[] {
  const names = Object.keys(kind.selectableFields).filter(
    (name) => name !== "metadata.name" && name !== "metadata.namespace",
  )
  return [...names.filter((name) => indexed.has(name)), ...names.filter((name) => !indexed.has(name))]
}

/** Those of `names` that are indexed: the first ones. */
export function indexedNames(names: readonly string[]): readonly string[] {
  return names.filter((name) => indexed.has(name))
}
