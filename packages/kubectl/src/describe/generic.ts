/** Descriptions of kinds that have none of their own. Mirrors: kubectl pkg/describe/describe.go (genericDescriber) */
import { at, type Obj } from "../object.ts"
import { describeMeta, type DescribeContext, type DescribeWriter } from "./writer.ts"

export async function describeGeneric(d: DescribeContext, obj: Obj): Promise<void> {
  describeMeta(d, obj)
  const {
    managedFields: _,
    namespace: _namespace,
    name: _name,
    labels: _labels,
    annotations: _annotations,
    ...metadata
  } = obj["metadata"] as Obj
  const shown = { ...obj, metadata }
  fields(d.w, 0, "", shown)
  await d.events(obj)
}

/** Fields as titled, indented lines, in the order of their names. */
function fields(w: DescribeWriter, level: number, path: string, value: Obj): void {
  for (const key of Object.keys(value).sort()) {
    const child = value[key] as unknown
    if (path === "" && key === "metadata" && !at(value, "metadata")) continue
    const title = labelOf(key)
    if (Array.isArray(child)) {
      w.line(level, `${title}:`)
      items(w, level + 1, `${path}.${key}`, child)
    } else if (typeof child === "object" && child !== null) {
      w.line(level, `${title}:`)
      fields(w, level + 1, `${path}.${key}`, child as Obj)
    } else w.line(level, `${title}:\t${text(child)}`)
  }
}

function items(w: DescribeWriter, level: number, path: string, list: readonly unknown[]): void {
  for (const item of list) {
    if (Array.isArray(item)) items(w, level + 1, path, item)
    else if (typeof item === "object" && item !== null) fields(w, level, path, item as Obj)
    else w.line(level, text(item))
  }
}

function text(value: unknown): string {
  return value === null || value === undefined ? "<nil>" : String(value)
}

const acronyms: ReadonlySet<string> = new Set(["API", "GUID", "UID", "URL"])

/** `creationTimestamp` as `Creation Timestamp`. Mirrors: smartLabelFor */
function labelOf(field: string): string {
  if (/[^\p{L}-]/u.test(field)) return field
  const parts = field.match(/[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^A-Za-z]+/g) ?? [field]
  const merged: string[] = []
  for (const part of parts) {
    const before = merged.at(-1)
    // `UR` and `Ls` are `URLs`.
    if (before !== undefined && /^[A-Z]{2,}$/.test(before) && /^[A-Z]/.test(part))
      merged[merged.length - 1] += part
    else merged.push(part)
  }
  return merged.map(titled).join(" ")
}

function titled(part: string): string {
  const upper = part.toUpperCase()
  if (acronyms.has(upper)) return upper
  return part.toLowerCase() === part ? part[0]!.toUpperCase() + part.slice(1) : part
}
