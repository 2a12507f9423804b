/** JSON as Go prints it: fields of objects sorted, four spaces, `<`, `>` and `&` escaped. */
import { compareBytes } from "@knarr/apimachinery"

/** A value with its objects' fields sorted. */
export function sortedFields(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value
  if (Array.isArray(value)) return value.map(sortedFields)
  const source = value as Record<string, unknown>
  const out: Record<string, unknown> = {}
  for (const key of Object.keys(source).sort(compareBytes)) {
    if (source[key] !== undefined) out[key] = sortedFields(source[key])
  }
  return out
}

/** Indented JSON with a newline at its end. */
export function indentedJson(value: unknown): string {
  return `${escapeHtml(JSON.stringify(sortedFields(value), null, 4))}\n`
}

/** {@link indentedJson} with the fields as they are. */
export function orderedJson(value: unknown): string {
  return `${escapeHtml(JSON.stringify(value, null, 4))}\n`
}

/** JSON in one line, fields sorted. */
export function compactJson(value: unknown): string {
  return escapeHtml(JSON.stringify(sortedFields(value)))
}

function escapeHtml(json: string): string {
  return json.replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  )
}
