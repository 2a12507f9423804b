/**
 * What the validation rules in a schema need to know of the schemas around them, and what all of them cost.
 * Mirrors: apiextensions pkg/apis/apiextensions/validation/cel_validation.go
 */
import { declTypeOf, type CelSchema, type DeclType } from "@knarr/cel"
import type { JSONSchemaProps } from "./types.gen.ts"

const unlimited = 2n ** 64n - 1n
/** What all rules of one schema may cost together. */
export const schemaCostLimit = 100_000_000n
const mostShown = 4

export const product = (cost: bigint, times: bigint): bigint =>
  cost * times > unlimited ? unlimited : cost * times

/** The costs of a schema's rules. */
class RuleCosts {
  total = 0n
  /** Where the most of it comes from, the dearest first. */
  dearest: { readonly path: string; readonly cost: bigint }[] = []

  add(path: string, cost: bigint): void {
    this.total = this.total + cost > unlimited ? unlimited : this.total + cost
    if (cost < schemaCostLimit / 100n) return
    this.dearest = [...this.dearest, { path, cost }]
      .sort((a, b) => (a.cost < b.cost ? 1 : a.cost > b.cost ? -1 : 0))
      .slice(0, mostShown)
  }
}

/** A place in a schema that can have rules: not within logic such as `allOf`. */
export class RuleScope {
  readonly costs: RuleCosts
  /** How many values there can be at most in an object; undefined when nothing bounds them. */
  readonly cardinality: bigint | undefined
  readonly #schema: JSONSchemaProps
  readonly #parent: RuleScope | undefined
  /** Whether it or what is around it has rules. */
  readonly #ruled: boolean
  #type: { readonly found: DeclType | undefined } | undefined

  constructor(schema: JSONSchemaProps, parent?: RuleScope) {
    this.#schema = schema
    this.#parent = parent
    this.#ruled = (parent && parent.#ruled) || (schema["x-kubernetes-validations"]?.length ?? 0) > 0
    this.costs = parent?.costs ?? new RuleCosts()
    this.cardinality = parent ? parent.#cardinalityBelow() : 1n
  }

  /** The type of `self`; undefined when the schema, or one around it with rules, does not tell it. */
  get type(): DeclType | undefined {
    this.#type ??= { found: this.#findType() }
    return this.#type.found
  }

  #findType(): DeclType | undefined {
    const parent = this.#parent
    if (parent && parent.#ruled && !parent.type) return undefined
    const isResource = !parent || this.#schema["x-kubernetes-embedded-resource"] === true
    return declTypeOf(this.#schema as CelSchema, "selfType", isResource)
  }

  #cardinalityBelow(): bigint | undefined {
    const times = timesOf(this.#schema)
    return this.cardinality === undefined || times === undefined
      ? undefined
      : product(this.cardinality, times)
  }
}

/** How many values each value has within; undefined when nothing bounds them. */
function timesOf({
  type,
  additionalProperties,
  maxProperties,
  maxItems,
}: JSONSchemaProps): bigint | undefined {
  const most = (limit: number | undefined): bigint | undefined =>
    limit === undefined ? undefined : BigInt(Math.max(limit, 0))
  if (type === "array") return most(maxItems)
  return type === "object" && additionalProperties !== undefined ? most(maxProperties) : 1n
}
