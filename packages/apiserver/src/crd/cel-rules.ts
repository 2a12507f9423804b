/**
 * The validation rules in a schema (`x-kubernetes-validations`): expressions over a value and what it was.
 * Mirrors: apiextensions pkg/apiserver/schema/cel/validation.go
 */
import type { JSONSchemaProps, ValidationRule } from "@knarr/api"
import { field, fieldErrorMessage, goQuote, type FieldError } from "@knarr/apimachinery"
import {
  CelEnvironment,
  CelIssues,
  PlanProblem,
  Optional,
  declTypeOf,
  none,
  optionalOf,
  schemaValue,
  type CelSchema,
  type Program,
} from "@knarr/cel"
import { maxProblems } from "./check-result.ts"
import { Correlated } from "./correlated.ts"
import { itemsOf } from "./prune.ts"
import { uncountedTimes, type RuleTimes } from "./rule-times.ts"

/** What all rules of one object may cost together. Mirrors: apiserver pkg/apis/cel/config.go */
const runtimeBudget = 10_000_000
const longestMessage = 5 * 1024

interface CompiledRule {
  readonly rule: ValidationRule
  readonly program?: Program
  readonly message?: Program
  readonly usesOldSelf: boolean
  /** Why it cannot be run. */
  readonly problem?: string
}

/** The rules of one place in a schema, and of those below it. */
interface Place {
  readonly type: string
  readonly rules: readonly CompiledRule[]
  readonly items?: Place | undefined
  readonly more?: Place | undefined
  readonly properties: ReadonlyMap<string, Place>
  readonly allOf: readonly Place[]
}

/** Where the walk is in the object that was. */
interface Before {
  readonly here: Correlated | undefined
  /** The nearest ancestor that can be told from others. */
  readonly parent: Correlated | undefined
}

/** Undefined when a schema has no rules. */
export function celRulesOf(
  schema: JSONSchemaProps | undefined,
  times: RuleTimes = uncountedTimes,
): CelRules | undefined {
  return schema && hasRules(schema) ? new CelRules(schema, times) : undefined
}

function hasRules(schema: JSONSchemaProps | undefined): boolean {
  if (!schema) return false
  if ((schema["x-kubernetes-validations"]?.length ?? 0) > 0) return true
  const { additionalProperties: more } = schema
  return (
    hasRules(itemsOf(schema)) ||
    hasRules(typeof more === "object" ? more : undefined) ||
    Object.values(schema.properties ?? {}).some(hasRules)
  )
}

/** The rules of a whole schema. They are compiled when the first object is validated. */
export class CelRules {
  readonly #schema: JSONSchemaProps
  readonly #times: RuleTimes
  #root: Place | undefined

  constructor(schema: JSONSchemaProps, times: RuleTimes) {
    this.#schema = schema
    this.#times = times
  }

  /** The rules that an object breaks; `old` is what an update replaces. Rules that broke before may stay so: `warn` is told. */
  validate(obj: object, old: object | undefined, warn: (text: string) => void): FieldError[] {
    this.#root ??= this.#times.compilation(() => placeOf(this.#schema, this.#schema, true))
    const root = this.#root
    if (!root) return []
    const walk = new Walk(warn)
    const here = old && new Correlated(this.#schema, obj, old)
    this.#times.evaluation(() => walk.at(root, "", obj, old, { here, parent: undefined }))
    return walk.errors
  }
}

const problemWords = new Set([
  "FieldValueNotSupported",
  "FieldValueRequired",
  "FieldValueTooLong",
  "FieldValueTooMany",
  "FieldValueTypeInvalid",
])

/** What is said in place of rules that cannot be asked about an object that is wrong otherwise. */
export function blockedBy(errors: readonly FieldError[]): FieldError | undefined {
  if (!errors.some(({ type }) => problemWords.has(type))) return undefined
  return field.invalid(
    "<nil>",
    null,
    "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
  )
}

/** `logic` is the schema with the rules, within `allOf` too; `shape` says what the value is made of. */
function placeOf(logic: JSONSchemaProps, shape: JSONSchemaProps, isResource: boolean): Place | undefined {
  const isWhole = isResource || shape["x-kubernetes-embedded-resource"] === true
  const rules = compile(logic["x-kubernetes-validations"] ?? [], shape, isWhole)
  const [items, shapeItems] = [itemsOf(logic), itemsOf(shape)]
  const [more, shapeMore] = [logic.additionalProperties, shape.additionalProperties]
  const properties = new Map<string, Place>()
  for (const [name, property] of Object.entries(logic.properties ?? {})) {
    const inner = shape.properties?.[name]
    const place = inner && placeOf(property, inner, false)
    if (place) properties.set(name, place)
  }
  const allOf = (logic.allOf ?? []).flatMap((one) => placeOf(one, shape, isResource) ?? [])
  const place: Place = {
    type: shape.type ?? "",
    rules,
    items: items && shapeItems ? placeOf(items, shapeItems, false) : undefined,
    more:
      typeof more === "object" && typeof shapeMore === "object" ? placeOf(more, shapeMore, false) : undefined,
    properties,
    allOf,
  }
  const isEmpty =
    rules.length === 0 && !place.items && !place.more && properties.size === 0 && allOf.length === 0
  return isEmpty ? undefined : place
}

function compile(rules: readonly ValidationRule[], shape: JSONSchemaProps, isWhole: boolean): CompiledRule[] {
  if (rules.length === 0) return []
  const schema = (isWhole ? { ...shape, "x-kubernetes-embedded-resource": true } : shape) as CelSchema
  const type = declTypeOf(schema, "selfType", isWhole)
  if (!type) return []
  const read = (raw: unknown): ReturnType<typeof schemaValue> => schemaValue(raw, schema)
  const self = { type: type.cel, read }
  const environment = new CelEnvironment({ types: [type], variables: { self, oldSelf: self } })
  const optional = environment.extend({
    variables: {
      oldSelf: {
        type: optionalOf(type.cel),
        read: (raw) => (raw === absent ? none : new Optional(read(raw))),
      },
    },
  })
  return rules.map((rule): CompiledRule => {
    const within = rule.optionalOldSelf ? optional : environment
    try {
      const program = programOf(within, rule.rule)
      const message = rule.messageExpression ? programOf(within, rule.messageExpression) : undefined
      const usesOldSelf = program.variables.includes("oldSelf")
      return { rule, program, ...(message ? { message } : {}), usesOldSelf }
    } catch (thrown) {
      if (!(thrown instanceof RuleProblem || thrown instanceof PlanProblem)) throw thrown
      return { rule, usesOldSelf: false, problem: thrown.message }
    }
  })
}

/** Stands for no old value, where that is a value too. */
const absent = Symbol("absent")

class RuleProblem extends Error {}

function programOf(environment: CelEnvironment, text: string): Program {
  const compiled = environment.compile(text)
  if (compiled instanceof CelIssues) throw new RuleProblem(`compilation failed: ${compiled.toString()}`)
  return compiled.program()
}

/** One validation of one object. */
class Walk {
  readonly errors: FieldError[] = []
  readonly #warn: (text: string) => void
  /** Below zero when no further rules are run. */
  #budget = runtimeBudget

  constructor(warn: (text: string) => void) {
    this.#warn = warn
  }

  at(place: Place, path: string, value: unknown, old: unknown, before: Before): void {
    if (value === null || value === undefined) return
    this.#rules(place, path, value, old, before)
    for (const one of place.allOf) {
      if (this.#budget < 0) return
      this.at(one, path, value, old, { here: undefined, parent: before.parent })
    }
    if (this.#budget < 0 || typeof value !== "object") return
    if (Array.isArray(value)) {
      if (!place.items) return
      for (const [i, item] of value.entries()) {
        if (this.#budget < 0) return
        const here = before.here?.item(i)
        this.at(place.items, field.index(path, i), item, here?.old, stepInto(before, here))
      }
      return
    }
    const olds = (typeof old === "object" && old !== null && !Array.isArray(old) ? old : {}) as Record<
      string,
      unknown
    >
    for (const [name, inner] of Object.entries(value)) {
      if (this.#budget < 0) return
      const property = place.properties.get(name)
      const below = property ?? place.more
      if (!below) continue
      const at = property ? field.child(path, name) : field.key(path, name)
      const was = Object.hasOwn(olds, name) ? olds[name] : undefined
      // Changes of the type cannot be seen: both were converted to the same.
      const isType = path === "" && (name === "apiVersion" || name === "kind")
      const next = isType
        ? { here: undefined, parent: undefined }
        : stepInto(before, before.here?.property(name))
      this.at(below, at, inner, was, next)
    }
  }

  #rules({ rules, type }: Place, path: string, value: unknown, old: unknown, before: Before): void {
    const at = path === "" ? "<nil>" : path
    const wrong = (text: string): void => void this.errors.push(field.invalid(at, type, text))
    for (const compiled of rules) {
      const { rule, program, usesOldSelf } = compiled
      if (compiled.problem !== undefined) {
        wrong(`rule compile error: ${compiled.problem}`)
        continue
      }
      const isNew = old === undefined || old === null
      if (!program || (usesOldSelf && isNew && !rule.optionalOldSelf)) continue
      if (this.#budget <= 0) return this.#exhaust(at, type)
      const was = rule.optionalOldSelf && isNew ? absent : (old ?? undefined)
      const variables = { self: value, oldSelf: was }
      const { value: result, error, cost } = program.evaluate(variables)
      if (cost > this.#budget) return this.#exhaust(at, type)
      this.#budget -= cost
      if (error !== undefined) {
        const text = textOf(rule)
        if (error.startsWith("no such overload"))
          wrong(
            `'${error}': call arguments did not match a supported operator, function or macro signature for rule: ${text}`,
          )
        else if (error.startsWith("operation cancelled: actual cost limit exceeded")) {
          wrong(
            `'${error}': no further validation rules will be run due to call cost exceeds limit for rule: ${text}`,
          )
          this.#budget = -1
          return
        } else wrong(`${error} evaluating rule: ${text}`)
        continue
      }
      if (result === true) continue
      if (this.errors.length >= maxProblems) {
        this.#budget = -1
        return
      }
      this.#broken(compiled, at, type, value, variables, before)
      if (this.#budget < 0) return
    }
  }

  #broken(
    { rule, message, usesOldSelf }: CompiledRule,
    path: string,
    type: string,
    value: unknown,
    variables: Readonly<Record<string, unknown>>,
    before: Before,
  ): void {
    const below = rule.fieldPath ? rule.fieldPath.replace(/^\./, "") : ""
    const at =
      below === "" ? path : path === "<nil>" ? below : `${path}${below.startsWith("[") ? "" : "."}${below}`
    const tell = (error: FieldError): void => {
      const told = before.here ?? before.parent
      if (!usesOldSelf && told?.same()) this.#warn(fieldErrorMessage(error))
      else this.errors.push(error)
    }
    let detail = rule.message ? rule.message.trim() : `failed rule: ${textOf(rule)}`
    if (message) {
      const { value: text, error, cost } = message.evaluate(variables)
      const refuse = (why: string): void => {
        tell(field.invalid(at, type, why))
        this.#budget = -1
      }
      if (cost > this.#budget)
        return refuse(
          "messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run",
        )
      if (error?.startsWith("operation cancelled: actual cost limit exceeded"))
        return refuse(
          `no further validation rules will be run due to call cost exceeds limit for messageExpression: ${goQuote(rule.messageExpression!)}`,
        )
      this.#budget -= cost
      const told = typeof text === "string" ? text.trim() : ""
      if (told !== "" && !told.includes("\n") && Buffer.byteLength(told) <= longestMessage) detail = told
    }
    tell(errorOf(at, type === "object" || type === "array" ? field.omitValue : value, detail, rule.reason))
  }

  #exhaust(at: string, type: string): void {
    const text =
      "validation failed due to running out of cost budget, no further validation rules will be run"
    this.errors.push(field.invalid(at, type, text))
    this.#budget = -1
  }
}

function stepInto(before: Before, here: Correlated | undefined): Before {
  return before.here ? { here, parent: before.here } : before
}

function textOf({ rule, message }: ValidationRule): string {
  return (message || rule).trim()
}

function errorOf(path: string, value: unknown, detail: string, reason: string | undefined): FieldError {
  switch (reason) {
    case "FieldValueForbidden":
      return field.forbidden(path, detail)
    case "FieldValueRequired":
      return field.required(path, detail)
    case "FieldValueDuplicate":
      return field.duplicate(path, value)
    default:
      return field.invalid(path, value, detail)
  }
}
