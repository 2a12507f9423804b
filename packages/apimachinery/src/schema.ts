/**
 * The shape of an API type, as data: what decoding, defaulting, pruning, strict field checks, patches,
 * server-side apply, OpenAPI and protobuf all read. Built-in shapes come from generated tables
 * (`schema.gen.ts`, see {@link defineSchemas}); custom resources build the same value from their own schema.
 */

export type SchemaType =
  | "object"
  | "map"
  | "array"
  | "string"
  | "integer"
  | "number"
  | "boolean"
  | "bytes"
  | "time"
  | "micro-time"
  | "quantity"
  | "int-or-string"
  | "any"

export interface Schema {
  readonly type: SchemaType
  /** The published definition name of an object, for example `io.k8s.api.core.v1.Container`. */
  readonly name?: string
  /** The fields of an object, in alphabetical order. */
  readonly fields?: ReadonlyMap<string, Field>
  /** The names of the fields as Go orders them, where that is not the alphabet. */
  readonly order?: readonly string[]
  /** What a map's values are; keys are strings. */
  readonly values?: Schema
  /** What an array's items are. */
  readonly items?: Schema
  /** `int32`, `int64`, `double`, … */
  readonly format?: string
  /** Unknown fields of this object are kept (custom resources, RawExtension). */
  readonly preserveUnknown?: boolean
  /** An object or map that apply and merge treat as one value. */
  readonly atomic?: boolean
  /** The order in which Go declares the required fields, when it is not that of their protobuf numbers. */
  readonly requiredOrder?: readonly string[]
  /** A schema of custom resources, or a list of them, a boolean, or a list of texts: a union to protobuf. */
  readonly schemaOr?: "Array" | "Bool" | "StringArray"
  /** What OpenAPI publishes of fields that exclude one another. */
  readonly unions?: readonly unknown[]
  /**
   * Reads values in its own way: custom resources keep what Go's structs lose, nulls and empties. Gives the object, and the
   * paths of the fields that it does not have and leaves out. The value is not changed. Throws a DecodeError.
   */
  readonly reader?: (value: unknown) => { readonly object: unknown; readonly unknown: readonly string[] }
  /**
   * What OpenAPI publishes of a whole object in place of its fields. `standard`: what it publishes of `apiVersion`, `kind` and
   * `metadata`.
   */
  readonly published?: (
    version: 2 | 3,
    standard: Readonly<Record<string, unknown>>,
  ) => Readonly<Record<string, unknown>>
}

export interface Field {
  readonly name: string
  /** Resolved on first use, because shapes refer to one another in circles. */
  readonly schema: Schema
  readonly required: boolean
  /** The default that the published schema states; kinds' `setDefaults` holds the ones that depend on other fields. */
  readonly default?: unknown
  readonly enum?: readonly string[]
  /** The values that the items of a list or the values of a map may have. */
  readonly eachEnum?: readonly string[]
  /** Go leaves the field out when it is zero (`""`, `0`, `false`): a plain value, not a pointer. */
  readonly omitZero?: boolean
  /** Go prints `null` when the field is not set: a time that is a plain value; or is empty: a list or map. */
  readonly printNull?: boolean
  /** Go leaves the pointer, list or map out when it holds nothing, although an object must have the field. */
  readonly omitEmpty?: boolean
  /** Go has a pointer to the value, so that nothing differs from zero; plain values are always in a protobuf message. */
  readonly pointer?: boolean
  /** How Go calls its type, where that has a name of its own: `v1.ScopeType`. */
  readonly goType?: string
  /** The structs of Go that are embedded in one another, and the field in them: `RuleWithOperations.Rule`. */
  readonly inside?: string
  /** Protobuf field number, behind those of the messages that JSON writes inline; absent where the type has none. */
  readonly proto?: readonly number[]
  /** Protobuf has a message around the list, which is its first field. */
  readonly wrapped?: boolean
  /** How apply merges a list; absent means atomic. */
  readonly listType?: "atomic" | "set" | "map"
  readonly mapKeys?: readonly string[]
  /** The map or object in this field is one value to apply. */
  readonly atomic?: boolean
  /** Its shape is atomic, but not in this field. */
  readonly granular?: boolean
  /** Strategic merge patch. */
  readonly patchStrategy?: readonly ("merge" | "replace" | "retainKeys")[]
  readonly mergeKey?: string
}

/**
 * A table row per type, a text per field: `[number] type [required] [omitzero] [printnull] [omitempty] [pointer] [wrapped] [go=T] [in=A.B] [default=JSON] [enum=A,B]
 * [each=JSON] [list=atomic|set|map:k1,k2] [atomic|granular] [patch=s1,s2] [key=mergeKey]`. A type is a scalar name, `[]T`, `map[T]`, or a definition name
 * (short inside its own package).
 */
export type SchemaTable = Readonly<Record<string, Readonly<Record<string, string>>>>

const scalars: Readonly<Record<string, Schema>> = {
  string: { type: "string" },
  boolean: { type: "boolean" },
  bytes: { type: "bytes", format: "byte" },
  int32: { type: "integer", format: "int32" },
  int64: { type: "integer", format: "int64" },
  double: { type: "number", format: "double" },
  any: { type: "any", preserveUnknown: true },
  "io.k8s.apimachinery.pkg.apis.meta.v1.Time": { type: "time", format: "date-time" },
  "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": { type: "micro-time", format: "date-time" },
  "io.k8s.apimachinery.pkg.api.resource.Quantity": { type: "quantity" },
  "io.k8s.apimachinery.pkg.util.intstr.IntOrString": { type: "int-or-string", format: "int-or-string" },
  "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": { type: "any", preserveUnknown: true, atomic: true },
  "io.k8s.apimachinery.pkg.runtime.RawExtension": { type: "any", preserveUnknown: true, atomic: true },
  ...Object.fromEntries(
    (["Array", "Bool", "StringArray"] as const).map((or) => [
      `io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOr${or}`,
      { type: "any", preserveUnknown: true, schemaOr: or } as const,
    ]),
  ),
}

const tables = new Map<string, Readonly<Record<string, string>>>()
const built = new Map<string, Schema>()

/** Adds a package's generated table. Called once per package, by its `schema.gen.ts`. */
export function defineSchemas(packageName: string, table: SchemaTable): void {
  for (const name in table) tables.set(`${packageName}.${name}`, table[name]!)
}

/** The shape of a published definition. Throws when there is none of that name. */
export function schemaOf(name: string): Schema {
  const known = scalars[name] ?? built.get(name)
  if (known) return known
  const rows = tables.get(name)
  if (!rows) throw new Error(`Cannot find the schema "${name}"`)
  const packageName = name.slice(0, name.lastIndexOf("."))
  const fields = new Map<string, Field>()
  const { $atomic, $order, $required, $unions, ...ofFields } = rows
  for (const field in ofFields) fields.set(field, new TableField(field, ofFields[field]!, packageName))
  const schema: Schema = {
    type: "object",
    name,
    fields,
    ...($atomic === undefined ? {} : { atomic: true }),
    ...($order === undefined ? {} : { order: $order.split(",") }),
    ...($required === undefined ? {} : { requiredOrder: $required.split(",") }),
    ...($unions === undefined ? {} : { unions: JSON.parse($unions) }),
  }
  built.set(name, schema)
  return schema
}

const byType = new Map<string, Schema | undefined>()

/** The shape of a document of Kubernetes' own by the type that it says; undefined when there is none. */
export function schemaOfType({ apiVersion, kind }: { apiVersion: string; kind: string }): Schema | undefined {
  const key = `${apiVersion} ${kind}`
  if (byType.has(key)) return byType.get(key)
  const [group, version] = apiVersion.includes("/") ? apiVersion.split("/") : ["core", apiVersion]
  // Some documents of the machinery itself say that they are of the core group.
  const tails = [
    `.${group!.split(".")[0]}.${version}.${kind}`,
    ...(group === "core" ? [`.meta.${version}.${kind}`] : []),
  ]
  const name = tails.flatMap((tail) => [...tables.keys()].filter((one) => one.endsWith(tail)))[0]
  const schema = name === undefined ? undefined : schemaOf(name)
  // What clients made up must not fill the memory.
  if (schema) byType.set(key, schema)
  return schema
}

/** Every definition name that a table holds. */
export function schemaNames(): IterableIterator<string> {
  return tables.keys()
}

class TableField implements Field {
  readonly name: string
  readonly required: boolean = false
  readonly default?: unknown
  readonly enum?: readonly string[]
  readonly eachEnum?: readonly string[]
  readonly omitZero?: boolean
  readonly printNull?: boolean
  readonly omitEmpty?: boolean
  readonly pointer?: boolean
  readonly goType?: string
  readonly inside?: string
  readonly proto?: readonly number[]
  readonly wrapped?: boolean
  readonly listType?: "atomic" | "set" | "map"
  readonly mapKeys?: readonly string[]
  readonly atomic?: boolean
  readonly granular?: boolean
  readonly patchStrategy?: readonly ("merge" | "replace" | "retainKeys")[]
  readonly mergeKey?: string
  readonly #type: string
  readonly #package: string
  #schema: Schema | undefined

  constructor(name: string, row: string, packageName: string) {
    this.name = name
    this.#package = packageName
    const words = row.split(" ")
    let at = 0
    if (/^\d/.test(words[0]!)) this.proto = words[at++]!.split(".").map(Number)
    this.#type = words[at++]!
    for (; at < words.length; at++) {
      const word = words[at]!
      const eq = word.indexOf("=")
      const value = word.slice(eq + 1)
      switch (eq < 0 ? word : word.slice(0, eq)) {
        case "required":
          this.required = true
          break
        case "omitzero":
          this.omitZero = true
          break
        case "printnull":
          this.printNull = true
          break
        case "pointer":
          this.pointer = true
          break
        case "wrapped":
          this.wrapped = true
          break
        case "go":
          this.goType = value
          break
        case "in":
          this.inside = value
          break
        case "omitempty":
          this.omitEmpty = true
          break
        case "atomic":
          this.atomic = true
          break
        case "granular":
          this.granular = true
          break
        case "default":
          this.default = JSON.parse(value)
          break
        case "enum":
          this.enum = value.split(",")
          break
        case "each":
          this.eachEnum = JSON.parse(value)
          break
        case "list":
          this.listType = value.split(":")[0] as "atomic" | "set" | "map"
          if (this.listType === "map") this.mapKeys = value.slice(4).split(",")
          break
        case "patch":
          this.patchStrategy = value.split(",") as ("merge" | "replace" | "retainKeys")[]
          break
        case "key":
          this.mergeKey = value
          break
        default:
          throw new Error(`Cannot read the schema row of "${packageName}.${name}": "${word}"`)
      }
    }
  }

  get schema(): Schema {
    this.#schema ??= resolveType(this.#type, this.#package)
    return this.#schema
  }
}

function resolveType(type: string, packageName: string): Schema {
  if (type.startsWith("[]")) return { type: "array", items: resolveType(type.slice(2), packageName) }
  if (type.startsWith("map[")) return { type: "map", values: resolveType(type.slice(4, -1), packageName) }
  return scalars[type] ?? schemaOf(type.includes(".") ? type : `${packageName}.${type}`)
}
