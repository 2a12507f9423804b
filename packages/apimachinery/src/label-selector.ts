/** Selectors of labels: text, object form, matching. Mirrors: apimachinery pkg/labels/selector.go */
import type { LabelOperator, LabelRequirement } from "./label-requirement.ts"
import { tableOf } from "@knarr/base"
import {
  aggregateMessage,
  child,
  index,
  invalid,
  key as keyPath,
  notSupported,
  type FieldError,
} from "./field-error.ts"
import { compareBytes, goQuote } from "./go-format.ts"
import { parseRequirements } from "./label-selector-parser.ts"
import type { LabelSelector, LabelSelectorRequirement } from "./meta/types.gen.ts"
import { isQualifiedName, isValidLabelValue } from "./names.ts"

export type Labels = Readonly<Record<string, string>> | undefined

/** In the order in which upstream lists them. */
const binaryLabelOperators: readonly LabelOperator[] = ["in", "notin", "=", "==", "!=", "gt", "lt"]

/** A compiled selector. Immutable. */
export interface Selector {
  /** Whether an object with these labels is selected. */
  matches(labels: Labels): boolean
  /** Whether it asks nothing, and so matches everything. (The selector that matches nothing is not empty.) */
  readonly empty: boolean
  readonly requirements: readonly LabelRequirement[]
  /** The only value of `key` that can match, if there is one. */
  exactValue(key: string): string | undefined
  /** The canonical text: requirements sorted by key. */
  toString(): string
}

/** Checks one requirement. Throws an Error in upstream's words. */
export function labelRequirement(
  key: string,
  operator: LabelOperator,
  values: readonly string[],
): LabelRequirement {
  const errors = labelRequirementErrors(key, operator, values, "")
  if (errors.length > 0) throw new Error(aggregateMessage(errors))
  return { key, operator, values }
}

/** What is wrong with a requirement; `path` is where it is written. */
export function labelRequirementErrors(
  key: string,
  operator: LabelOperator,
  values: readonly string[],
  path: string,
): FieldError[] {
  const at = (name: string): string => child(path, name)
  const errors: FieldError[] = []
  const keyReasons = isQualifiedName(key)
  if (keyReasons.length > 0) errors.push(invalid(at("key"), key, keyReasons.join("; ")))
  switch (operator) {
    case "in":
    case "notin":
      if (values.length === 0)
        errors.push(invalid(at("values"), values, "for 'in', 'notin' operators, values set can't be empty"))
      break
    case "=":
    case "==":
    case "!=":
      if (values.length !== 1)
        errors.push(invalid(at("values"), values, "exact-match compatibility requires one single value"))
      break
    case "exists":
    case "!":
      if (values.length !== 0)
        errors.push(invalid(at("values"), values, "values set must be empty for exists and does not exist"))
      break
    case "gt":
    case "lt":
      if (values.length !== 1)
        errors.push(invalid(at("values"), values, "for 'Gt', 'Lt' operators, exactly one value is required"))
      values.forEach((value, i) => {
        if (parseInt64(value) === undefined)
          errors.push(
            invalid(index(at("values"), i), value, "for 'Gt', 'Lt' operators, the value must be an integer"),
          )
      })
      break
    default:
      errors.push(notSupported(at("operator"), operator, [...binaryLabelOperators, "exists", "!"]))
  }
  values.forEach((value, i) => {
    const reasons = isValidLabelValue(value)
    if (reasons.length > 0)
      errors.push(invalid(keyPath(index(at("values"), i), key), value, reasons.join("; ")))
  })
  return errors
}

/** A signed 64-bit integer as Go's strconv.ParseInt reads it. */
function parseInt64(text: string): bigint | undefined {
  if (!/^[+-]?\d+$/.test(text)) return undefined
  let zeros = text[0] === "+" || text[0] === "-" ? 1 : 0
  while (text[zeros] === "0") zeros++
  if (text.length - zeros > 19) return undefined
  const value = BigInt(text[0] === "+" ? text.slice(1) : text)
  return value >= -(2n ** 63n) && value < 2n ** 63n ? value : undefined
}

type Test = (labels: Readonly<Record<string, string>>) => boolean

// A label that an object does not have may still be found on Object.prototype: only strings count.
function compile({ key, operator, values }: LabelRequirement): Test {
  const first = values[0] ?? ""
  switch (operator) {
    case "=":
    case "==":
      return (labels) => labels[key] === first
    case "!=":
      return (labels) => labels[key] !== first
    case "in": {
      if (values.length === 1) return (labels) => labels[key] === first
      const set = new Set(values)
      return (labels) => set.has(labels[key]!)
    }
    case "notin": {
      if (values.length === 1) return (labels) => labels[key] !== first
      const set = new Set(values)
      return (labels) => !set.has(labels[key]!)
    }
    case "exists":
      return (labels) => typeof labels[key] === "string"
    case "!":
      return (labels) => typeof labels[key] !== "string"
    case "gt":
    case "lt": {
      const bound = parseInt64(first)!
      return (labels) => {
        const text = labels[key]
        const value = typeof text === "string" ? parseInt64(text) : undefined
        if (value === undefined) return false
        return operator === "gt" ? value > bound : value < bound
      }
    }
  }
}

function requirementText({ key, operator, values }: LabelRequirement): string {
  const sorted = values.length > 1 ? [...values].sort(compareBytes).join(",") : (values[0] ?? "")
  switch (operator) {
    case "exists":
      return key
    case "!":
      return `!${key}`
    case "in":
      return `${key} in (${sorted})`
    case "notin":
      return `${key} notin (${sorted})`
    case "gt":
      return `${key}>${sorted}`
    case "lt":
      return `${key}<${sorted}`
    default:
      return `${key}${operator}${sorted}`
  }
}

const noLabels: Readonly<Record<string, string>> = Object.freeze({})

class CompiledSelector implements Selector {
  readonly requirements: readonly LabelRequirement[]
  readonly #tests: readonly Test[]
  #text: string | undefined

  constructor(requirements: readonly LabelRequirement[]) {
    this.requirements = requirements
    this.#tests = requirements.map(compile)
  }

  get empty(): boolean {
    return this.requirements.length === 0
  }

  matches(labels: Labels): boolean {
    const known = labels ?? noLabels
    const tests = this.#tests
    for (let i = 0; i < tests.length; i++) if (!tests[i]!(known)) return false
    return true
  }

  exactValue(key: string): string | undefined {
    const found = this.requirements.find((requirement) => requirement.key === key)
    if (!found || found.values.length !== 1) return undefined
    return found.operator === "=" || found.operator === "==" || found.operator === "in"
      ? found.values[0]
      : undefined
  }

  toString(): string {
    return (this.#text ??= this.requirements.map(requirementText).join(","))
  }
}

/** The selector that asks nothing. */
export const everything: Selector = new CompiledSelector([])

/** The selector that matches nothing; what an absent LabelSelector stands for. */
export const nothing: Selector = {
  matches: () => false,
  empty: false,
  requirements: [],
  exactValue: () => undefined,
  toString: () => "",
}

/** A selector of requirements, which are sorted by key. */
export function selectorOf(requirements: readonly LabelRequirement[]): Selector {
  if (requirements.length === 0) return everything
  return new CompiledSelector([...requirements].sort((a, b) => compareBytes(a.key, b.key)))
}

const parsed = new Map<string, Selector>()
const maxParsed = 4096
/** Longer texts are read each time. */
const maxParsedLength = 1024

/** Reads `a=b,c in (d,e),!f`. Throws an Error with upstream's message. Repeated texts share one selector. */
export function parseSelector(text: string): Selector {
  const known = parsed.get(text)
  if (known) return known
  const selector = selectorOf(parseRequirements(text, labelRequirement))
  if (parsed.size >= maxParsed) parsed.clear()
  if (text.length <= maxParsedLength) parsed.set(text, selector)
  return selector
}

/** The selector that wants exactly these labels (they are not checked, as upstream does not). */
export function selectorFromLabels(labels: Labels): Selector {
  return selectorOf(
    Object.entries(labels ?? {}).map(([key, value]) => ({ key, operator: "=", values: [value] })),
  )
}

const objectOperators: Readonly<Record<string, LabelOperator>> = tableOf({
  In: "in",
  NotIn: "notin",
  Exists: "exists",
  DoesNotExist: "!",
})

const compiled = new WeakMap<object, Selector>()

/**
 * The selector of a `LabelSelector` object: absent matches nothing, empty matches everything. Throws an Error with
 * upstream's message. The selector of a frozen object is kept with it.
 */
export function selectorFrom(selector: Readonly<LabelSelector> | undefined | null): Selector {
  if (!selector) return nothing
  const known = compiled.get(selector)
  if (known) return known
  const requirements: LabelRequirement[] = []
  const { matchLabels, matchExpressions } = selector
  for (const key in matchLabels) requirements.push(labelRequirement(key, "=", [matchLabels[key]!]))
  for (const expression of matchExpressions ?? []) {
    const operator = Object.hasOwn(objectOperators, expression.operator)
      ? objectOperators[expression.operator]
      : undefined
    if (!operator) throw new Error(`${goQuote(expression.operator)} is not a valid label selector operator`)
    requirements.push(labelRequirement(expression.key, operator, expression.values ?? []))
  }
  const out = selectorOf(requirements)
  if (Object.isFrozen(selector)) compiled.set(selector, out)
  return out
}

/** A `LabelSelector` object for the text of a selector. Throws when the text has `>` or `<`. */
export function parseToLabelSelector(text: string): LabelSelector {
  let requirements: readonly LabelRequirement[]
  try {
    requirements = parseSelector(text).requirements
  } catch (cause) {
    throw new Error(`couldn't parse the selector string "${text}": ${(cause as Error).message}`, { cause })
  }
  const matchLabels: Record<string, string> = {}
  const matchExpressions: LabelSelectorRequirement[] = []
  for (const { key, operator, values } of requirements) {
    switch (operator) {
      case "=":
      case "==":
        matchLabels[key] = values[0]!
        break
      case "in":
      case "notin":
        matchExpressions.push({
          key,
          operator: operator === "in" ? "In" : "NotIn",
          values: [...values].sort(compareBytes),
        })
        break
      case "exists":
      case "!":
        matchExpressions.push({ key, operator: operator === "!" ? "DoesNotExist" : "Exists" })
        break
      case "gt":
      case "lt":
        throw new Error(`${goQuote(operator)} isn't supported in label selectors`)
      default:
        throw new Error(`${goQuote(operator)} is not a valid label selector operator`)
    }
  }
  const out: LabelSelector = {}
  if (Object.keys(matchLabels).length > 0) out.matchLabels = matchLabels
  if (matchExpressions.length > 0) out.matchExpressions = matchExpressions
  return out
}

/** A `LabelSelector` object as canonical text; `<none>` when absent or empty, `<error>` when invalid. */
export function formatLabelSelector(selector: Readonly<LabelSelector> | undefined | null): string {
  try {
    return selectorFrom(selector).toString() || "<none>"
  } catch {
    return "<error>"
  }
}
