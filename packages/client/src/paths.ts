/** The URLs of the API. */
import { pathNotFound, type Kind } from "@knarr/apimachinery"
import type { Ref } from "./client.ts"

/** `/api/v1` or `/apis/apps/v1`. */
export function groupVersionPath(kind: Pick<Kind, "group" | "version">): string {
  return kind.group ? `/apis/${kind.group}/${kind.version}` : `/api/${kind.version}`
}

/** Where a kind's objects are listed and created. */
export function collectionPath(kind: Kind, namespace?: string): string {
  const base = groupVersionPath(kind)
  return namespace && kind.namespaced
    ? `${base}/namespaces/${encodeURIComponent(namespace)}/${kind.plural}`
    : `${base}/${kind.plural}`
}

/**
 * Where one object, or a subresource of it, is. Throws when the name is empty: that would be the collection. Throws a 404
 * StatusError for a subresource in a namespace of a kind that is in none: it would be that of an object outside.
 */
export function objectPath(kind: Kind, ref: Ref, subresource?: string): string {
  if (ref.name === "") throw new Error("resource name may not be empty")
  if (subresource && ref.namespace && !kind.namespaced) throw pathNotFound()
  const path = `${collectionPath(kind, ref.namespace)}/${encodeURIComponent(ref.name)}`
  return subresource ? `${path}/${subresource}` : path
}

/** `?a=b&c=d` of what is set, or "". */
export function queryText(values: Readonly<Record<string, string | number | boolean | undefined>>): string {
  let out = ""
  for (const key in values) {
    const value = values[key]
    if (value === undefined || value === false || value === "") continue
    out += `${out ? "&" : "?"}${key}=${encodeURIComponent(String(value))}`
  }
  return out
}
