/**
 * The defaults that a shape itself states, such as `protocol: TCP` of a port. Those that depend on other fields are in
 * the kinds' `setDefaults`. Mirrors: the generated SetObjectDefaults of `+default` markers
 */
import { deepClone } from "./deep.ts"
import type { Schema } from "./schema.ts"

export interface SchemaDefaultsOptions {
  /**
   * Also apply defaults that are a zero value (`""`, 0, false, `{}`), as custom resources do. In built-in shapes those
   * only say what Go prints, and decoding takes care of them. Default false.
   */
  readonly zero?: boolean
}

type Apply = (value: unknown) => void

/** Sets what is absent, at every depth, in place. */
export function applySchemaDefaults(schema: Schema, value: unknown, options?: SchemaDefaultsOptions): void {
  plansFor(options?.zero === true).of(schema)?.(value)
}

class Plans {
  readonly #zero: boolean
  readonly #known = new WeakMap<Schema, Apply | null>()

  constructor(zero: boolean) {
    this.#zero = zero
  }

  /** null when nothing in the shape has a default. */
  of(schema: Schema): Apply | null {
    const known = this.#known.get(schema)
    if (known !== undefined) return known
    const apply = this.#reaches(schema, new Set()) ? this.#compile(schema) : null
    this.#known.set(schema, apply)
    return apply
  }

  #counts(value: unknown): boolean {
    if (value === undefined) return false
    if (this.#zero) return true
    if (value === "" || value === 0 || value === false) return false
    return typeof value !== "object" || (value !== null && Object.keys(value).length > 0)
  }

  #reaches(schema: Schema, seen: Set<Schema>): boolean {
    if (seen.has(schema)) return false
    seen.add(schema)
    if (schema.items) return this.#reaches(schema.items, seen)
    if (schema.values) return this.#reaches(schema.values, seen)
    for (const field of schema.fields?.values() ?? []) {
      if (this.#counts(field.default) || this.#reaches(field.schema, seen)) return true
    }
    return false
  }

  #compile(schema: Schema): Apply {
    if (schema.type === "array") {
      return (value) => {
        if (!Array.isArray(value) || !schema.items) return
        const apply = this.of(schema.items)
        if (apply) for (const item of value) apply(item)
      }
    }
    if (schema.type === "map") {
      return (value) => {
        if (!isObject(value) || !schema.values) return
        const apply = this.of(schema.values)
        if (apply) for (const name in value) apply(value[name])
      }
    }
    let fields: { name: string; value: unknown; apply: Apply | null }[] | undefined
    return (value) => {
      if (!isObject(value)) return
      fields ??= [...(schema.fields?.values() ?? [])]
        .map((field) => ({
          name: field.name,
          value: this.#counts(field.default) ? field.default : undefined,
          apply: this.of(field.schema),
        }))
        .filter((plan) => plan.value !== undefined || plan.apply)
      for (const plan of fields) {
        if (value[plan.name] === undefined && plan.value !== undefined) {
          value[plan.name] = deepClone(plan.value)
        }
        if (plan.apply) plan.apply(value[plan.name])
      }
    }
  }
}

const declared = new Plans(false)
const all = new Plans(true)

function plansFor(zero: boolean): Plans {
  return zero ? all : declared
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
}
