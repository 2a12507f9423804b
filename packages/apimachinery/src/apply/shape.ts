/**
 * A {@link Schema} as apply sees it: what is one value, what is a map of fields, what is a list with keys. Compiled once
 * per schema. Mirrors: kube-openapi pkg/schemaconv
 */
import type { Field, Schema } from "../schema.ts"

export interface Shape {
  readonly kind: "scalar" | "map" | "list" | "deduced"
  /** One value: owned and merged as a whole. */
  readonly atomic: boolean
  readonly scalar: "string" | "numeric" | "boolean" | "any"
  readonly fields: ReadonlyMap<string, FieldShape>
  /** Fields that Go writes even when they hold nothing; see {@link FieldShape.zero}. */
  readonly zeroFields: readonly FieldShape[]
  /** What a map's values are, or an object's unknown fields; undefined where unknown fields are errors. */
  readonly values: Shape | undefined
  readonly items: Shape | undefined
  /** Of a list with keys, in alphabetical order. Undefined on a set. */
  readonly keys: readonly { readonly name: string; readonly default: unknown }[] | undefined
}

export interface FieldShape {
  readonly name: string
  /** `f:` and the name. */
  readonly element: string
  readonly shape: Shape
  /**
   * What Go's value of the type holds where JSON has nothing: `{}` for an embedded struct, `""`, `0`, `false` or null for
   * a field that is always written; undefined for the rest. Published types only.
   */
  readonly zero: unknown
}

const noFields: ReadonlyMap<string, FieldShape> = new Map()

class CompiledShape implements Shape {
  readonly kind: Shape["kind"]
  readonly atomic: boolean
  readonly scalar: Shape["scalar"] = "any"
  readonly fields: ReadonlyMap<string, FieldShape> = noFields
  readonly zeroFields: readonly FieldShape[] = []
  readonly keys: Shape["keys"]
  readonly #schema: Schema
  #values: Shape | undefined
  #items: Shape | undefined

  constructor(schema: Schema, field: Field | undefined) {
    this.#schema = schema
    const atomic = field?.granular !== true && (schema.atomic === true || field?.atomic === true)
    switch (schema.type) {
      case "object": {
        this.kind = "map"
        this.atomic = atomic
        const fields = new Map<string, FieldShape>()
        for (const [name, inner] of schema.fields ?? []) fields.set(name, new CompiledField(inner, schema))
        this.fields = fields
        if (schema.name !== undefined) {
          this.zeroFields = [...fields.values()].filter((inner) => inner.zero !== undefined)
        }
        break
      }
      case "map":
        this.kind = "map"
        this.atomic = atomic
        break
      case "array": {
        this.kind = "list"
        const keys =
          field?.mapKeys ?? (field?.listType === "map" && field.mergeKey ? [field.mergeKey] : undefined)
        const type = field?.listType ?? listTypeOfPatch(field)
        const merged = type === "map" ? (keys ?? [field!.mergeKey!]) : undefined
        this.atomic = type !== "map" && type !== "set"
        if (merged) {
          this.keys = merged
            .slice()
            .sort()
            .map((name) => ({ name, default: schema.items?.fields?.get(name)?.default }))
        }
        break
      }
      case "any":
        this.kind = "deduced"
        this.atomic = atomic
        break
      default:
        this.kind = "scalar"
        this.atomic = true
        this.scalar = scalarKind(schema.type)
    }
  }

  get values(): Shape | undefined {
    if (this.#values) return this.#values
    const { values, preserveUnknown, type } = this.#schema
    if (values) this.#values = shapeOf(values)
    else if (preserveUnknown === true || type === "any") this.#values = deducedShape
    return this.#values
  }

  get items(): Shape | undefined {
    this.#items ??= this.#schema.items ? shapeOf(this.#schema.items) : deducedShape
    return this.#items
  }
}

function listTypeOfPatch(field: Field | undefined): Field["listType"] {
  if (!field?.patchStrategy?.includes("merge")) return undefined
  return field.mergeKey ? "map" : "set"
}

function scalarKind(type: Schema["type"]): Shape["scalar"] {
  switch (type) {
    case "integer":
    case "number":
      return "numeric"
    case "boolean":
      return "boolean"
    case "string":
    case "bytes":
      return "string"
    default:
      return "any"
  }
}

class CompiledField implements FieldShape {
  readonly name: string
  readonly element: string
  readonly zero: unknown
  readonly #field: Field
  #shape: Shape | undefined

  constructor(field: Field, parent: Schema) {
    this.name = field.name
    this.element = `f:${field.name}`
    this.#field = field
    this.zero = parent.name === undefined ? undefined : zeroOf(field)
  }

  get shape(): Shape {
    this.#shape ??= new CompiledShape(this.#field.schema, this.#field)
    return this.#shape
  }
}

const emptyStruct: Readonly<Record<string, unknown>> = Object.freeze({})

function zeroOf(field: Field): unknown {
  const { type } = field.schema
  if (type === "object" && typeof field.default === "object" && field.default !== null) return emptyStruct
  if (field.omitEmpty || field.omitZero) return undefined
  // A stated default of "" or 0 marks a field that Go always writes, too.
  if (!field.required && field.default !== "" && field.default !== 0) return undefined
  switch (type) {
    case "string":
      return ""
    case "integer":
    case "number":
      return 0
    case "boolean":
      return false
    default:
      return null
  }
}

const compiled = new WeakMap<Schema, Shape>()

/** The shape of a schema that no field qualifies. */
export function shapeOf(schema: Schema): Shape {
  let shape = compiled.get(schema)
  if (!shape) compiled.set(schema, (shape = new CompiledShape(schema, undefined)))
  return shape
}

/** What apply assumes where there is no schema: maps are granular, lists are one value. */
export const deducedSchema: Schema = { type: "any", preserveUnknown: true }
export const deducedShape: Shape = shapeOf(deducedSchema)
