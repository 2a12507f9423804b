/**
 * Expressions about a token's claims and about the user that they make.
 * Mirrors: apiserver pkg/authentication/cel
 */
import {
  boolType,
  CelEnvironment,
  CelIssues,
  declTypeOf,
  Double,
  dynType,
  mapOf,
  plainValue,
  schemaValue,
  stringType,
  type CelSchema,
  type CompiledExpression,
  type Evaluation,
} from "@knarr/cel"
import { messageOf } from "@knarr/base"

export interface ClaimsProgram {
  readonly text: string
  readonly compiled: CompiledExpression
  evaluate(value: unknown): Evaluation
}

const claims = new CelEnvironment({
  variables: { claims: { type: mapOf(stringType, dynType), read: (raw) => plainValue(withDoubles(raw)) } },
})
const texts: CelSchema = { type: "array", items: { type: "string" } }
const userSchema: CelSchema = {
  type: "object",
  properties: {
    username: { type: "string" },
    uid: { type: "string" },
    groups: texts,
    extra: { type: "object", additionalProperties: texts },
  },
}
const userType = declTypeOf(userSchema, "kubernetes.UserInfo", false)!
const user = new CelEnvironment({
  types: [userType],
  variables: { user: { type: userType.cel, read: (raw) => schemaValue(raw, userSchema) } },
})

/** Every number of a document is a double, as Go reads it. */
function withDoubles(raw: unknown): unknown {
  if (typeof raw === "number") return new Double(raw)
  if (Array.isArray(raw)) return raw.map(withDoubles)
  if (typeof raw !== "object" || raw === null) return raw
  return Object.fromEntries(Object.entries(raw).map(([key, value]) => [key, withDoubles(value)]))
}

/** An expression about `claims`; `isRule`: it has to come to a boolean. */
export function compileClaims(text: string, isRule = false): ClaimsProgram | { readonly problem: string } {
  return compileIn(claims, "claims", text, isRule)
}

/** A rule about `user`. */
export function compileUser(text: string): ClaimsProgram | { readonly problem: string } {
  return compileIn(user, "user", text, true)
}

function compileIn(
  environment: CelEnvironment,
  variable: string,
  text: string,
  isRule: boolean,
): ClaimsProgram | { readonly problem: string } {
  const compiled = environment.compile(text)
  if (compiled instanceof CelIssues) return { problem: `compilation failed: ${compiled}` }
  if (isRule && String(compiled.outputType) !== String(boolType)) return { problem: "must evaluate to bool" }
  try {
    const program = compiled.program()
    return { text, compiled, evaluate: (value) => program.evaluate({ [variable]: value }) }
  } catch (thrown) {
    return { problem: `program instantiation failed: ${messageOf(thrown)}` }
  }
}

/** Whether `claims.<name>` is read somewhere in it. */
export function usesClaim({ compiled }: ClaimsProgram, name: string): boolean {
  const isClaims = (value: unknown): boolean =>
    isNode(value) && value["kind"] === "ident" && value["name"] === "claims"
  const open: unknown[] = [compiled.tree]
  while (open.length > 0) {
    const value = open.pop()
    if (Array.isArray(value)) open.push(...(value as unknown[]))
    else if (isNode(value)) {
      if (value["kind"] === "select" && value["field"] === name && isClaims(value["operand"])) return true
      if (value["kind"] === "call" && value["name"] === "_?._") {
        const [operand, key] = value["args"] as [unknown, Readonly<Record<string, unknown>>]
        if (isClaims(operand) && key?.["value"] === name) return true
      }
      for (const key in value) if (key !== "type") open.push(value[key])
    }
  }
  return false
}

function isNode(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null
}
