/** What server-side apply says when others own what it would change. Mirrors: apimachinery pkg/util/managedfields/internal/conflict.go */
import { compareBytes, goQuote } from "../go-format.ts"
import { applyConflict, type StatusError } from "../status.ts"
import { FieldSet } from "./field-set.ts"
import type { Owner } from "./managers.ts"
import { pathText } from "./path-element.ts"

/** The fields of one owner that an apply would change. */
export interface Conflict {
  readonly owner: Owner
  readonly fields: FieldSet
}

/** Thrown inside apply; leaves it as a {@link StatusError}. */
export class ConflictsError extends Error {
  readonly conflicts: readonly Conflict[]
  constructor(conflicts: readonly Conflict[]) {
    super("Apply failed with conflicts")
    this.name = "ConflictsError"
    this.conflicts = conflicts
  }
}

/** The conflicts as the API answers them. */
export function conflictStatus(conflicts: readonly Conflict[]): StatusError {
  const sorted = conflicts
    .map(({ owner, fields }) => ({ text: ownerText(owner), paths: [...fields.paths()].map(pathText) }))
    .sort((a, b) => compareBytes(a.text, b.text))
  const causes = sorted.flatMap(({ text, paths }) =>
    paths.map((field) => ({ reason: "FieldManagerConflict", message: `conflict with ${text}`, field })),
  )
  if (causes.length === 1) {
    const { message, field } = causes[0]!
    return applyConflict(causes, `Apply failed with 1 conflict: ${message}: ${field}`)
  }
  const lines = sorted.flatMap(({ text, paths }) => [
    `conflicts with ${text}:`,
    ...paths.map((path) => `- ${path}`),
  ])
  return applyConflict(causes, `Apply failed with ${causes.length} conflicts: ${lines.join("\n")}`)
}

function ownerText(owner: Owner): string {
  let text = goQuote(owner.manager)
  if (owner.subresource !== "") text += ` with subresource ${goQuote(owner.subresource)}`
  return owner.operation === "Update" ? `${text} using ${owner.apiVersion}` : text
}
