/** Conditions on requests, in CEL. Mirrors: pkg/apis/admissionregistration/validation/validation.go (validateMatchConditions) */
import { field } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { AdmissionCompiler, boolType } from "@knarr/cel"
import { qualifiedName } from "../../checks.ts"
import { expressionErrors } from "./expression.validate.ts"
import type { MatchCondition } from "./types.gen.ts"

const maxConditions = 64
const plain = new AdmissionCompiler({ params: false, composed: false })
const withParams = new AdmissionCompiler({ params: true, composed: false })

/** `params`: whether the conditions may look at parameters. */
export function validateMatchConditions(
  path: string,
  conditions: readonly MatchCondition[] | undefined,
  params = false,
): FieldError[] {
  const out: FieldError[] = []
  const seen = new Set<string>()
  if ((conditions?.length ?? 0) > maxConditions)
    out.push(field.tooMany(path, conditions!.length, maxConditions))
  for (const [i, { name, expression }] of (conditions ?? []).entries()) {
    const at = `${path}[${i}]`
    const text = expression?.trim() ?? ""
    if (text === "") out.push(field.required(`${at}.expression`, ""))
    else {
      const compiled = (params ? withParams : plain).compile(text, { returns: [boolType] })
      out.push(...expressionErrors(`${at}.expression`, compiled))
    }
    if (!name) out.push(field.required(`${at}.name`, ""))
    else {
      out.push(...qualifiedName(`${at}.name`, name))
      if (seen.has(name)) out.push(field.duplicate(`${at}.name`, name))
      seen.add(name)
    }
  }
  return out
}
