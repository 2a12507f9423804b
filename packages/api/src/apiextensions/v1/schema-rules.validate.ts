/**
 * Rules of the validation rules in schemas: their texts, that they compile, and what they can cost.
 * Mirrors: apiextensions pkg/apis/apiextensions/validation/validation.go, pkg/apiserver/schema/cel/compilation.go
 */
import { field } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import {
  boolType,
  CelEnvironment,
  CelIssues,
  optionalOf,
  PlanProblem,
  sizesOf,
  stringType,
  type CelType,
  type DeclType,
} from "@knarr/cel"
import { oneOfIfSet } from "../../checks.ts"
import { goValue } from "../../go-value.ts"
import { followPath } from "./field-path.ts"
import { product, schemaCostLimit, type RuleScope } from "./rule-scope.ts"
import { structureProblem } from "./structural-schema.ts"
import type { JSONSchemaProps, ValidationRule } from "./types.gen.ts"

const ruleReasons = ["FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"]
/** What one rule may cost. */
const ruleCostLimit = 10_000_000n
const maxRequest = 3 * 1024 * 1024

const hasLineBreak = (text: string): boolean => /[\n\r]/.test(text)

/** What can be said without compiling them. */
export function validateRuleTexts(path: string, schema: JSONSchemaProps): FieldError[] {
  return (schema["x-kubernetes-validations"] ?? []).flatMap((rule, i) =>
    validateText(`${path}.x-kubernetes-validations[${i}]`, rule, schema),
  )
}

function validateText(path: string, rule: ValidationRule, schema: JSONSchemaProps): FieldError[] {
  const { message = "", messageExpression = "", reason, fieldPath = "" } = rule
  const text = rule.rule?.trim() ?? ""
  const out: FieldError[] = []
  const invalid = (name: string, value: string, detail: string): number =>
    out.push(field.invalid(`${path}.${name}`, value, detail))
  if (text === "") out.push(field.required(`${path}.rule`, "rule is not specified"))
  else if (message !== "" && message.trim() === "")
    invalid("message", message, "must be non-empty if specified")
  else if (hasLineBreak(message.trim())) invalid("message", message, "must not contain line breaks")
  else if (hasLineBreak(text) && message.trim() === "")
    out.push(field.required(`${path}.message`, "message must be specified if rule contains line breaks"))
  if (messageExpression !== "" && messageExpression.trim() === "")
    out.push(field.required(`${path}.messageExpression`, "messageExpression must be non-empty if specified"))
  out.push(...oneOfIfSet(`${path}.reason`, reason, ruleReasons))
  if (fieldPath === "") return out
  if (fieldPath.trim() === "") invalid("fieldPath", fieldPath, "must be non-empty if specified")
  if (hasLineBreak(fieldPath)) invalid("fieldPath", fieldPath, "must not contain line breaks")
  if (!structureProblem(schema) && typeof followPath(fieldPath, schema, true) === "string")
    invalid("fieldPath", fieldPath, "must be a valid path")
  return out
}

/** How expressions are judged. */
export interface ExpressionDemands {
  /** Where old values cannot be told from one another; undefined when they can. */
  readonly uncorrelatable: string | undefined
  /** Whether a single rule may cost too much, as it did before. */
  readonly anyCost: boolean
}

/** Compiles the rules of one place. */
export function validateExpressions(
  path: string,
  schema: JSONSchemaProps,
  scope: RuleScope,
  demands: ExpressionDemands,
): FieldError[] {
  const rules = schema["x-kubernetes-validations"] ?? []
  if (rules.length === 0) return []
  const at = `${path}.x-kubernetes-validations`
  const { type } = scope
  if (!type) {
    const why = "unable to convert structural schema to CEL declarations"
    const text = `internal error: failed to construct type information for x-kubernetes-validations rules: ${why}`
    return [field.internalError(at, new Error(text))]
  }
  const compiler = new Compiler(type)
  return rules.flatMap((rule, i) => validateExpression(`${at}[${i}]`, rule, compiler, scope, demands))
}

function validateExpression(
  path: string,
  rule: ValidationRule,
  compiler: Compiler,
  scope: RuleScope,
  { uncorrelatable, anyCost }: ExpressionDemands,
): FieldError[] {
  const out: FieldError[] = []
  const compiled = compiler.compile(rule, "rule")
  const judgeCost = (name: string, what: string, cost: bigint): void => {
    if (!anyCost && cost > ruleCostLimit)
      out.push(field.forbidden(`${path}.${name}`, costMessage(what, cost, ruleCostLimit)))
    scope.costs.add(`${path}.${name}`, cost)
  }
  const wrong = (name: string, problem: string): void =>
    void out.push(field.invalid(`${path}.${name}`, goValue("apiextensions.ValidationRule", rule), problem))
  const times = scope.cardinality ?? compiler.mostValues
  judgeCost("rule", "estimated rule cost", product(compiled.cost, times))
  if (compiled.problem !== undefined) wrong("rule", compiled.problem)
  else if (rule.messageExpression) {
    const message = compiler.compile(rule, "messageExpression")
    if (message.problem !== undefined) wrong("messageExpression", message.problem)
    else judgeCost("messageExpression", "estimated messageExpression cost", message.cost)
  }
  if (compiled.usesOldSelf) {
    const detail = `oldSelf cannot be used on the uncorrelatable portion of the schema within ${uncorrelatable}`
    if (uncorrelatable !== undefined) out.push(field.invalid(`${path}.rule`, rule.rule, detail))
  } else if (rule.optionalOldSelf !== undefined)
    out.push(
      field.invalid(
        `${path}.optionalOldSelf`,
        rule.optionalOldSelf,
        "may not be set if oldSelf is not used in rule",
      ),
    )
  return out
}

interface Compiled {
  /** At most, of one evaluation. */
  readonly cost: bigint
  readonly usesOldSelf: boolean
  readonly problem?: string
}

const kinds = {
  rule: { type: boolType, before: "", failed: "program", must: "cel expression must evaluate to a bool" },
  messageExpression: {
    type: stringType,
    before: "messageExpression ",
    failed: "messageExpression",
    must: "messageExpression must evaluate to a string",
  },
} as const

class Compiler {
  readonly #type: DeclType
  readonly #plain: CelEnvironment
  readonly #optional: CelEnvironment

  constructor(type: DeclType) {
    this.#type = type
    const environment = (oldSelf: CelType): CelEnvironment =>
      new CelEnvironment({
        types: [type],
        variables: { self: { type: type.cel }, oldSelf: { type: oldSelf } },
      })
    this.#plain = environment(type.cel)
    this.#optional = environment(optionalOf(type.cel))
  }

  /** How many of the smallest values the largest request has room for. */
  get mostValues(): bigint {
    return BigInt(Math.trunc(maxRequest / (this.#type.minSerializedSize + 1)))
  }

  compile(rule: ValidationRule, name: keyof typeof kinds): Compiled {
    const { type, before, failed, must } = kinds[name]
    const refuse = (problem: string): Compiled => ({ cost: 0n, usesOldSelf: false, problem })
    const compiled = (rule.optionalOldSelf ? this.#optional : this.#plain).compile(rule[name] ?? "")
    if (compiled instanceof CelIssues) return refuse(`${before}compilation failed: ${compiled.toString()}`)
    if (!compiled.outputType.isExactly(type)) return refuse(must)
    try {
      const usesOldSelf = compiled.program().variables.includes("oldSelf")
      return { cost: compiled.estimateCost(sizesOf(this.#type)).max, usesOldSelf }
    } catch (thrown) {
      if (!(thrown instanceof PlanProblem)) throw thrown
      return refuse(`${failed} instantiation failed: ${thrown.message}`)
    }
  }
}

/** What is said of a schema whose rules cost too much together. */
export function validateTotalCost(path: string, { costs }: RuleScope): FieldError[] {
  if (costs.total <= schemaCostLimit) return []
  const part = "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema"
  const whole = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
  return [
    ...costs.dearest.map((one) => field.forbidden(one.path, part)),
    field.forbidden(path, costMessage(whole, costs.total, schemaCostLimit)),
  ]
}

function costMessage(what: string, cost: bigint, limit: bigint): string {
  const times = Number(cost) / Number(limit)
  const factor = times > 100 ? "more than 100" : times < 1.5 ? times.toFixed(6) : oneDigit(times)
  return `${what} exceeds budget by factor of ${factor}x (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`
}

/** Go rounds what lies in the middle to the even digit. */
function oneDigit(value: number): string {
  return value % 1 === 0.25 ? `${Math.trunc(value)}.2` : value.toFixed(1)
}
