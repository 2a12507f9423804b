/** When an indexed job has succeeded. Mirrors: pkg/apis/batch/validation/validation.go (validateSuccessPolicy) */
import { field } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { notNegative } from "../../checks.ts"
import { readIndexes } from "./job-indexes.ts"
import type { SuccessPolicy, SuccessPolicyRule } from "./types.gen.ts"

const maxRules = 20
/** Bytes of a list of indexes. */
const maxIndexesLength = 64 * 1024

export function validateSuccessPolicy(
  path: string,
  policy: SuccessPolicy,
  completions: number,
): FieldError[] {
  const rules = policy.rules ?? []
  const at = `${path}.rules`
  const out: FieldError[] = []
  if (rules.length === 0)
    out.push(field.required(at, "at least one rules must be specified when the successPolicy is specified"))
  if (rules.length > maxRules) out.push(field.tooMany(at, rules.length, maxRules))
  for (const [i, rule] of rules.entries()) out.push(...validateRule(`${at}[${i}]`, rule, completions))
  return out
}

function validateRule(path: string, rule: SuccessPolicyRule, completions: number): FieldError[] {
  const { succeededCount, succeededIndexes } = rule
  const out: FieldError[] = []
  if (succeededCount === undefined && succeededIndexes === undefined)
    out.push(field.required(path, "at least one of succeededCount or succeededIndexes must be specified"))
  let total = 0
  if (succeededIndexes !== undefined) {
    const at = `${path}.succeededIndexes`
    if (succeededIndexes.length > maxIndexesLength) out.push(field.tooLong(at, "", maxIndexesLength))
    const read = readIndexes(succeededIndexes, completions)
    if (typeof read === "string")
      out.push(field.invalid(at, succeededIndexes, `error parsing succeededIndexes: ${read}`))
    else total = read
  }
  if (succeededCount === undefined) return out
  const at = `${path}.succeededCount`
  out.push(...notNegative(at, succeededCount))
  const tooMany = (most: number, what: string): number =>
    out.push(field.invalid(at, succeededCount, `must be less than or equal to ${most} (${what})`))
  if (succeededCount > completions) tooMany(completions, "the number of specified completions")
  if (succeededIndexes !== undefined && succeededCount > total)
    tooMany(total, "the number of indexes in the specified succeededIndexes field")
  return out
}
