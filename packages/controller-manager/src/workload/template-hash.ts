/**
 * Short names for templates and revisions. Mirrors: pkg/controller/controller_utils.go (ComputeHash) in purpose:
 * upstream hashes a dump of Go structures, so the values differ while everything that depends on them does not.
 */
import { fnv1a32, safeEncodeString } from "@knarr/apimachinery"

/** JSON with sorted keys and without what is empty: the same text for semantically equal values. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(canonical(value)) ?? "null"
}

/** A stable hash of a template; `collisionCount` gives another one when two templates met in the same. */
export function templateHash(template: unknown, collisionCount: number | undefined): string {
  const salt = collisionCount === undefined || collisionCount === 0 ? "" : `#${collisionCount}`
  return safeEncodeString(String(fnv1a32(canonicalJson(template) + salt)))
}

function canonical(value: unknown): unknown {
  if (Array.isArray(value))
    return value.length === 0 ? undefined : value.map((item) => canonical(item) ?? null)
  if (typeof value !== "object" || value === null) return value === null ? undefined : value
  const out: Record<string, unknown> = {}
  let any = false
  for (const key of Object.keys(value).sort()) {
    const inner = canonical((value as Record<string, unknown>)[key])
    if (inner === undefined) continue
    out[key] = inner
    any = true
  }
  // An empty object says something where a map may not (`emptyDir: {}`); keep it below the top.
  return any || Object.keys(value).length === 0 ? out : undefined
}
