/** Objects of whatever kind, as they come over the wire, and how they are named in messages. */

/** An API object of any kind. kubectl works on what discovery names, so fields have no static types here. */
// oxlint-disable-next-line typescript/no-explicit-any
export type Obj = Record<string, any>

/** The group of an `apiVersion`: "" for the core group. */
function groupOf(apiVersion: string | undefined): string {
  const slash = (apiVersion ?? "").indexOf("/")
  return slash < 0 ? "" : apiVersion!.slice(0, slash)
}

/** `pod/x` or `deployment.apps/x`. */
export function objectName(obj: Obj): string {
  return `${kindName(obj["kind"] ?? "", groupOf(obj["apiVersion"]))}/${obj["metadata"]?.name ?? ""}`
}

/** `pod` or `deployment.apps`. */
export function kindName(kind: string, group: string): string {
  return kind.toLowerCase() + (group ? `.${group}` : "")
}

/** Whether an object is a list of others. */
export function isList(obj: Obj): boolean {
  return Array.isArray(obj["items"]) && String(obj["kind"] ?? "").endsWith("List")
}

/** The value at a path of fields; undefined when a step is missing. */
export function at(obj: unknown, ...path: string[]): unknown {
  let value = obj
  for (const key of path) {
    if (typeof value !== "object" || value === null) return undefined
    value = (value as Obj)[key]
  }
  return value
}

/** Objects without `metadata.managedFields`; the input is left as it was. */
export function withoutManagedFields(obj: Obj): Obj {
  if (isList(obj)) return { ...obj, items: (obj["items"] as Obj[]).map(withoutManagedFields) }
  if (!obj["metadata"]?.managedFields) return obj
  const { managedFields: _, ...metadata } = obj["metadata"]
  return { ...obj, metadata }
}
