/**
 * Checks values against a schema of a custom resource, in the words and with the alternatives of upstream's checker. A schema
 * is compiled once. Mirrors: kube-openapi pkg/validation/validate, apiextensions pkg/apiserver/validation
 */
import type { JSONSchemaProps } from "@knarr/api"
import { deepEqual, goRegexp, type FieldError } from "@knarr/apimachinery"
import {
  CheckResult,
  missing,
  notInEnum,
  overall,
  tooLong,
  tooMany,
  unfit,
  wrongType,
} from "./check-result.ts"
import { Correlated } from "./correlated.ts"
import { formats, knownFormat } from "./formats.ts"
import { checkNumber, isInt64, isJsonInteger } from "./number-check.ts"

/** `was`: the value before the update, where it can be told. */
type Check = (value: unknown, path: string, was: Correlated | undefined) => CheckResult

/** One aspect of a value; undefined when it does not apply to it. */
type Aspect = (
  value: unknown,
  type: string,
  path: string,
  was: Correlated | undefined,
) => CheckResult | undefined

/** A schema; it is compiled when the first value comes. */
export class SchemaCheck {
  readonly #schema: JSONSchemaProps
  #compiled: Check | undefined

  constructor(schema: JSONSchemaProps) {
    this.#schema = schema
  }

  get #check(): Check {
    return (this.#compiled ??= compile(this.#schema))
  }

  /** The problems of a new value; `base` is its own path, "" for a whole object. */
  validate(value: unknown, base = ""): FieldError[] {
    return this.#errors(this.#check(value, "", undefined), base)
  }

  /** Those of an update: a part that did not change is not told. */
  validateUpdate(value: unknown, old: unknown, base = ""): FieldError[] {
    const was = new Correlated(this.#schema, value, old)
    return this.#errors(forgiving(this.#check, value, "", was), base)
  }

  #errors(result: CheckResult, base: string): FieldError[] {
    return result.problems.map((problem) => problem.toFieldError(base))
  }
}

function forgiving(check: Check, value: unknown, path: string, was: Correlated | undefined): CheckResult {
  const result = check(value, path, was)
  return was && !result.valid && was.same() ? result.forgiven() : result
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** What Go's decoder makes of a value, as JSON schemas call it. */
function typeOf(value: unknown): string {
  switch (typeof value) {
    case "boolean":
      return "boolean"
    case "string":
      return "string"
    case "number":
      return isInt64(value) ? "integer" : "number"
    default:
      return Array.isArray(value) ? "array" : "object"
  }
}

function compile(schema: JSONSchemaProps): Check {
  const types = schema["x-kubernetes-int-or-string"]
    ? ["integer", "string"]
    : schema.type
      ? [schema.type]
      : []
  const format = knownFormat(types, schema.format)
  const inEnum = enumeration(schema)
  const aspects: Aspect[] = [
    alternatives(schema),
    texts(schema),
    ofFormat(format),
    (value, type, path) =>
      type === "integer" || type === "number"
        ? checkNumber(schema, types, format, value as number, path)
        : undefined,
    items(schema),
    (value, _type, path) => inEnum(value, path),
    properties(schema),
  ]
  const typed = types.length > 0 || format !== ""
  return (value, path, was) => {
    const result = new CheckResult()
    if (value === null || value === undefined) {
      result.matches++
      if (types.length > 0 && schema.nullable !== true) result.add(wrongType(path, types.join(","), "null"))
      result.merge(inEnum(null, path))
      return result
    }
    const type = typeOf(value)
    if (typed) {
      result.merge(ofType(types, format, value, type, path))
      result.matches++
    }
    for (const aspect of aspects) {
      const found = aspect(value, type, path, was)
      if (!found) continue
      result.merge(found)
      result.matches++
    }
    result.matches++
    return result
  }
}

function ofType(
  types: readonly string[],
  format: string,
  value: unknown,
  type: string,
  path: string,
): CheckResult {
  const result = new CheckResult()
  result.matches++
  const numeric = types.includes("number") || types.includes("integer")
  const fits =
    types.includes(type) ||
    (type === "number" && types.includes("integer") && isJsonInteger(value as number)) ||
    (type === "integer" && types.includes("number"))
  if (format !== "") {
    const own = type === "integer" ? "int64" : type === "number" ? "float64" : ""
    const isText = type === "string" || type === "array"
    if (!isText && !fits && own !== format) {
      result.add(wrongType(path, format, own))
      return result
    }
    if (isText && !numeric) return result
  }
  if (!fits) result.add(wrongType(path, types.join(","), type))
  return result
}

/** anyOf, oneOf, allOf and not. */
function alternatives(schema: JSONSchemaProps): Aspect {
  const [anyOf, oneOf, allOf] = [schema.anyOf, schema.oneOf, schema.allOf].map(
    (all) => all?.map(compile) ?? [],
  ) as [Check[], Check[], Check[]]
  const not = schema.not && compile(schema.not)
  return (value, _type, path, was) => {
    const result = new CheckResult()
    const must = (what: string): void => result.add(overall(`${JSON.stringify(path)} must ${what}`))
    if (anyOf.length > 0) {
      const { valid, best } = tryAll(anyOf, value, path, was, true)
      if (valid === 0) must("validate at least one schema (anyOf)")
      if (best) result.merge(best)
    }
    if (oneOf.length > 0) {
      const { valid, best } = tryAll(oneOf, value, path, was, false)
      if (valid !== 1) {
        const found = valid === 0 ? "Found none valid" : `Found ${valid} valid alternatives`
        must(`validate one and only one schema (oneOf). ${found}`)
      }
      if (best && valid <= 1) result.merge(best)
    }
    if (allOf.length > 0) {
      let valid = 0
      for (const check of allOf) {
        const one = check(value, path, was)
        if (one.valid) valid++
        result.merge(one)
      }
      if (valid < allOf.length)
        must(`validate all the schemas (allOf)${valid === 0 ? ". None validated" : ""}`)
    }
    if (not?.(value, path, was).valid) must("not validate the schema (not)")
    result.matches++
    return result
  }
}

/** How many alternatives fit, and the first that does, or the one with the most matches when none does. */
function tryAll(
  checks: readonly Check[],
  value: unknown,
  path: string,
  was: Correlated | undefined,
  firstIsEnough: boolean,
): { valid: number; best: CheckResult | undefined } {
  let best: CheckResult | undefined
  let valid = 0
  for (const check of checks) {
    const one = check(value, path, was)
    if (one.valid) {
      if (valid === 0) best = one
      valid++
      if (firstIsEnough) break
    } else if (valid === 0 && (best === undefined || one.matches > best.matches)) best = one
  }
  return { valid, best }
}

function texts({ minLength, maxLength, pattern }: JSONSchemaProps): Aspect {
  // What is no expression matches nothing.
  const compiled = pattern ? goRegexp(pattern) : undefined
  const regex = typeof compiled === "object" ? compiled : undefined
  return (value, type, path) => {
    if (type !== "string") return undefined
    const result = new CheckResult()
    const text = value as string
    const length = minLength === undefined && maxLength === undefined ? 0 : codePoints(text)
    if (maxLength !== undefined && length > maxLength) result.add(tooLong(path, maxLength))
    else if (minLength !== undefined && length < minLength)
      result.add(unfit(path, text, `should be at least ${minLength} chars long`))
    else if (regex && !regex.test(text)) result.add(unfit(path, text, `should match '${pattern}'`))
    return result
  }
}

function codePoints(text: string): number {
  let count = 0
  for (let i = 0; i < text.length; i++) if ((text.charCodeAt(i) & 0xfc00) !== 0xdc00) count++
  return count
}

function ofFormat(format: string): Aspect {
  const isFormat = formats[format.replaceAll("-", "")]
  return (value, type, path) => {
    if (type !== "string" || !isFormat) return undefined
    const result = new CheckResult()
    if (!isFormat(value as string)) result.add(wrongType(path, format, value as string))
    return result
  }
}

/** Scalars are looked up: an enumeration may be as long as the list whose items it is asked about. */
function enumeration({ enum: allowed = [] }: JSONSchemaProps): (value: unknown, path: string) => CheckResult {
  const scalars = new Set(allowed.filter((one) => typeof one !== "object"))
  const others = allowed.filter((one) => typeof one === "object" && one !== null)
  const isFree = allowed.length === 0
  let texts: string[] | undefined
  let list = ""
  return (value, path) => {
    const result = new CheckResult()
    if (isFree || scalars.has(value) || others.some((one) => deepEqual(one, value))) return result
    if (!texts) {
      texts = allowed.map((one) => (typeof one === "string" ? one : JSON.stringify(one)))
      list = texts.join(" ")
    }
    result.add(notInEnum(path, value, texts, list))
    return result
  }
}

function items({ items: shape, minItems, maxItems }: JSONSchemaProps): Aspect {
  const check = shape && !Array.isArray(shape) ? compile(shape) : undefined
  return (value, type, path, was) => {
    if (type !== "array") return undefined
    const result = new CheckResult()
    const list = value as readonly unknown[]
    if (check)
      for (const [i, item] of list.entries()) {
        if (result.full) break
        result.merge(forgiving(check, item, `${path}[${i}]`, was?.item(i)))
      }
    if (minItems !== undefined && list.length < minItems)
      result.add(unfit(path, list.length, `should have at least ${minItems} items`))
    if (maxItems !== undefined && list.length > maxItems)
      result.add(tooMany(path, list.length, maxItems, "items"))
    result.matches++
    return result
  }
}

/** The names that are known, in the schema's order: an object with few of many properties costs its own. */
function inOrder(names: readonly string[], rank: ReadonlyMap<string, number>): string[] {
  return names.filter((name) => rank.has(name)).sort((a, b) => rank.get(a)! - rank.get(b)!)
}

function properties(schema: JSONSchemaProps): Aspect {
  const { minProperties, maxProperties, required = [], additionalProperties: more } = schema
  const known = new Map(Object.entries(schema.properties ?? {}).map(([name, one]) => [name, compile(one)]))
  const rank = new Map([...known.keys()].map((name, i) => [name, i]))
  const others = typeof more === "object" ? compile(more) : undefined
  return (value, type, path, was) => {
    if (type !== "object" || !isMap(value)) return undefined
    const result = new CheckResult()
    const names = Object.keys(value)
    if (minProperties !== undefined && names.length < minProperties)
      result.add(unfit(path, names.length, `should have at least ${minProperties} properties`))
    if (maxProperties !== undefined && names.length > maxProperties)
      result.add(tooMany(path, names.length, maxProperties, "properties"))
    if (others)
      for (const name of names) {
        if (result.full) break
        if (!known.has(name))
          result.merge(forgiving(others, value[name], `${path}.${name}`, was?.property(name)))
      }
    for (const name of names.length < known.size ? inOrder(names, rank) : known.keys()) {
      if (!Object.hasOwn(value, name)) continue
      if (result.full) break
      const check = known.get(name)!
      const isType = path === "" && (name === "kind" || name === "apiVersion")
      const at = path === "" ? name : `${path}.${name}`
      result.merge(forgiving(check, value[name], at, isType ? undefined : was?.property(name)))
    }
    for (const name of required) {
      if (result.full) break
      if (!Object.hasOwn(value, name)) result.add(missing(`${path}.${name}`))
    }
    return result
  }
}
