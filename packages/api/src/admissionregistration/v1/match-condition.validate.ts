/** Conditions on requests, in CEL. Mirrors: pkg/apis/admissionregistration/validation/validation.go (validateMatchConditions) */
import { field } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { qualifiedName } from "../../checks.ts"
import type { MatchCondition } from "./types.gen.ts"

const maxConditions = 64

export function validateMatchConditions(
  path: string,
  conditions: readonly MatchCondition[] | undefined,
): FieldError[] {
  const out: FieldError[] = []
  const seen = new Set<string>()
  if ((conditions?.length ?? 0) > maxConditions)
    out.push(field.tooMany(path, conditions!.length, maxConditions))
  for (const [i, { name, expression }] of (conditions ?? []).entries()) {
    const at = `${path}[${i}]`
    if (!expression?.trim()) out.push(field.required(`${at}.expression`, ""))
    if (!name) out.push(field.required(`${at}.name`, ""))
    else {
      out.push(...qualifiedName(`${at}.name`, name))
      if (seen.has(name)) out.push(field.duplicate(`${at}.name`, name))
      seen.add(name)
    }
  }
  return out
}
