/** Expressions of admission, compiled when they are written. Mirrors: pkg/apis/admissionregistration/validation/validation.go (validateCELCondition) */
import { field } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import type { AdmissionExpression } from "@knarr/cel"

/** What is wrong with a compiled expression; `text` is what is told of it, default what was compiled. */
export function expressionErrors(
  path: string,
  { text: compiled, problem }: AdmissionExpression,
  text: string = compiled,
): FieldError[] {
  if (!problem) return []
  if (problem.internal) return [field.internalError(path, new Error(problem.detail))]
  return [field.invalid(path, text, problem.detail)]
}
