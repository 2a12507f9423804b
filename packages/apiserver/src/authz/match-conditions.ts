/** Which requests an authorizer outside is asked about. Mirrors: apiserver pkg/authorization/cel/compile.go */
import {
  boolType,
  CelEnvironment,
  CelIssues,
  declTypeOf,
  schemaValue,
  type CelSchema,
  type Evaluation,
} from "@knarr/cel"
import { messageOf } from "@knarr/base"
import type { Spec } from "./review-spec.ts"

export interface MatchCondition {
  readonly text: string
  evaluate(spec: Spec): Evaluation
}

const text: CelSchema = { type: "string" }
const texts: CelSchema = { type: "array", items: text }
const selector: CelSchema = {
  type: "object",
  properties: {
    rawSelector: text,
    requirements: {
      type: "array",
      items: { type: "object", properties: { key: text, operator: text, values: texts } },
    },
  },
}
const schema: CelSchema = {
  type: "object",
  properties: {
    user: text,
    groups: texts,
    uid: text,
    extra: { type: "object", additionalProperties: texts },
    resourceAttributes: {
      type: "object",
      properties: {
        namespace: text,
        verb: text,
        group: text,
        version: text,
        resource: text,
        subresource: text,
        name: text,
        fieldSelector: selector,
        labelSelector: selector,
      },
    },
    nonResourceAttributes: { type: "object", properties: { path: text, verb: text } },
  },
}
const type = declTypeOf(schema, "kubernetes.SubjectAccessReviewSpec", false)!
const environment = new CelEnvironment({
  types: [type],
  variables: { request: { type: type.cel, read: (raw) => schemaValue(raw, schema) } },
})
const words = ["namespace", "verb", "group", "version", "resource", "subresource", "name"] as const

/** Every word is there, also an empty one. */
function whole(spec: Spec): object {
  const { user, uid = "", groups = [], extra = {}, resourceAttributes, nonResourceAttributes } = spec
  return {
    ...{ user, uid, groups, extra },
    ...(resourceAttributes
      ? {
          resourceAttributes: {
            ...Object.fromEntries(words.map((word) => [word, ""])),
            ...resourceAttributes,
          },
        }
      : {}),
    ...(nonResourceAttributes ? { nonResourceAttributes } : {}),
  }
}

export function compileMatchCondition(expression: string): MatchCondition | { readonly problem: string } {
  const compiled = environment.compile(expression)
  if (compiled instanceof CelIssues) return { problem: `compilation failed: ${compiled}` }
  const found = String(compiled.outputType)
  if (found !== String(boolType)) return { problem: `must evaluate to bool but got ${found}` }
  try {
    const program = compiled.program()
    return { text: expression, evaluate: (spec) => program.evaluate({ request: whole(spec) }) }
  } catch (thrown) {
    return { problem: `program instantiation failed: ${messageOf(thrown)}` }
  }
}
