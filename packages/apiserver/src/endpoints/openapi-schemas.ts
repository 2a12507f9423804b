/** Schema tables as OpenAPI schemas, the same for version 2 and 3 but for how they refer to one another. */
import { schemaOf, type Field, type Kind, type Schema } from "@knarr/apimachinery"

export type Json = Record<string, unknown>

/** The doc text of a definition (`field` undefined) or of one of its fields; undefined when there is none. */
export type Describe = (definition: string, field?: string) => string | undefined

const core = "io.k8s.api.core.v1"
const meta = "io.k8s.apimachinery.pkg.apis.meta.v1"
const extensions = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1"
/** The only published shape whose fields have no texts, but for `default`. */
const jsonSchema = `${extensions}.JSONSchemaProps`
const rawExtension = "io.k8s.apimachinery.pkg.runtime.RawExtension"
const named: Readonly<Partial<Record<Schema["type"], string>>> = {
  time: `${meta}.Time`,
  "micro-time": `${meta}.MicroTime`,
  quantity: "io.k8s.apimachinery.pkg.api.resource.Quantity",
  "int-or-string": "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
}

/** The published definition whose texts the fields of every object have. */
const standardFields = { apiVersion: `${core}.Pod`, kind: `${core}.Pod`, metadata: `${core}.Pod` }

const buildInfo = [
  "buildDate",
  "compiler",
  "gitCommit",
  "gitTreeState",
  "gitVersion",
  "goVersion",
  "major",
  "minor",
  "platform",
]
const releaseInfo = ["emulationMajor", "emulationMinor", "minCompatibilityMajor", "minCompatibilityMinor"]

/** What `/version` answers. */
function versionInfo(version: 2 | 3): Json {
  const text = version === 3 ? { type: "string", default: "" } : { type: "string" }
  return {
    type: "object",
    required: [
      "major",
      "minor",
      "gitVersion",
      "gitCommit",
      "gitTreeState",
      "buildDate",
      "goVersion",
      "compiler",
      "platform",
    ],
    properties: Object.fromEntries([
      ...buildInfo.map((name) => [name, text]),
      ...releaseInfo.map((name) => [name, { type: "string" }]),
    ]),
  }
}

/** Definitions that are no objects of a table. */
const scalars: Readonly<Record<string, (version: 2 | 3) => Json>> = {
  [named["time"]!]: () => ({ type: "string", format: "date-time" }),
  [named["micro-time"]!]: () => ({ type: "string", format: "date-time" }),
  [named["quantity"]!]: (version) =>
    version === 3 ? { oneOf: [{ type: "string" }, { type: "number" }] } : { type: "string" },
  [named["int-or-string"]!]: (version) =>
    version === 3
      ? { format: "int-or-string", oneOf: [{ type: "integer" }, { type: "string" }] }
      : { type: "string", format: "int-or-string" },
  "io.k8s.apimachinery.pkg.version.Info": versionInfo,
  ...Object.fromEntries(
    [`${meta}.FieldsV1`, `${meta}.Patch`, rawExtension].map((name) => [name, () => ({ type: "object" })]),
  ),
  ...Object.fromEntries(
    ["JSON", "JSONSchemaPropsOrArray", "JSONSchemaPropsOrBool", "JSONSchemaPropsOrStringArray"].map(
      (name) => [`${extensions}.${name}`, () => ({})],
    ),
  ),
}

/** Shapes that are any object, by their published names. */
const opaque: ReadonlyMap<Schema, string> = new Map(
  [`${meta}.FieldsV1`, rawExtension].map((name) => [schemaOf(name), name]),
)

/** Fields that hold any value under a name of its own. */
const opaqueFields: Readonly<Partial<Record<string, string>>> = Object.fromEntries(
  Object.entries({
    additionalItems: "JSONSchemaPropsOrBool",
    additionalProperties: "JSONSchemaPropsOrBool",
    default: "JSON",
    dependencies: "JSONSchemaPropsOrStringArray",
    enum: "JSON",
    example: "JSON",
    items: "JSONSchemaPropsOrArray",
  }).map(([field, name]) => [`${jsonSchema} ${field}`, `${extensions}.${name}`]),
)

/** Collects definitions, each with everything that it refers to. */
export class SchemaCollector {
  readonly #version: 2 | 3
  readonly #prefix: string
  readonly #describe: Describe
  readonly #gvks: ReadonlyMap<string, readonly Json[]>
  readonly #out = new Map<string, Json>()

  /** `gvks`: which kinds a definition is the shape of, for `x-kubernetes-group-version-kind`. */
  constructor(version: 2 | 3, gvks: ReadonlyMap<string, readonly Json[]>, describe: Describe) {
    this.#version = version
    this.#prefix = version === 3 ? "#/components/schemas/" : "#/definitions/"
    this.#gvks = gvks
    this.#describe = describe
  }

  /** All that were added, by name. */
  definitions(): Json {
    return Object.fromEntries([...this.#out].sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  /** Adds a published definition; answers the reference to it. */
  ref(name: string): Json {
    if (!this.#out.has(name)) {
      const scalar = scalars[name]
      const out: Json = {}
      this.#out.set(name, out)
      const text = this.#describe(name)
      if (text) out["description"] = text
      Object.assign(out, scalar ? scalar(this.#version) : this.#object(schemaOf(name)))
    }
    return { $ref: this.#prefix + name }
  }

  /** Adds the list of a kind; answers the reference to it. */
  listOf(kind: Kind): Json {
    const item = nameOf(kind)
    const name = `${item}List`
    if (!this.#out.has(name)) {
      const items = this.ref(item)
      // Custom kinds' lists have the same texts as others: those of Pods, say.
      const text = (field: string): Json => {
        const description = this.#describe(name, field) ?? this.#describe(`${core}.PodList`, field)
        return description === undefined ? {} : { description }
      }
      const listed =
        this.#describe(name, "items") ??
        this.#describe(`${core}.PodList`, "items")?.replace("pods", kind.plural)
      this.#out.set(name, {
        description: this.#describe(name) ?? `${kind.kind}List is a list of ${kind.kind}`,
        type: "object",
        required: ["items"],
        properties: {
          apiVersion: { ...text("apiVersion"), type: "string" },
          items: { ...(listed === undefined ? {} : { description: listed }), type: "array", items },
          kind: { ...text("kind"), type: "string" },
          metadata: this.#with(this.ref(`${meta}.ListMeta`), {
            ...text("metadata"),
            ...(this.#version === 3 && kind.rules === "native" ? { default: {} } : {}),
          }),
        },
        "x-kubernetes-group-version-kind": [
          { group: kind.group, kind: `${kind.kind}List`, version: kind.version },
        ],
        ...selectableFields(kind),
      })
    }
    return { $ref: this.#prefix + name }
  }

  /** The schema of a kind: a reference, or the whole of a kind that is not of a release. */
  kind(kind: Kind): Json {
    const name = nameOf(kind)
    if (name === kind.schema.name) return this.ref(name)
    if (!this.#out.has(name)) {
      const out: Json = {}
      this.#out.set(name, out)
      const { published } = kind.schema
      const whole = published
        ? published(this.#version, this.#standard())
        : this.#object(kind.schema, standardFields)
      Object.assign(out, whole, {
        "x-kubernetes-group-version-kind": [{ group: kind.group, kind: kind.kind, version: kind.version }],
        ...selectableFields(kind),
      })
    }
    return { $ref: this.#prefix + name }
  }

  /** The fields of every object. */
  #standard(): Json {
    const text = (field: string): Json => {
      const description = this.#describe(`${core}.Pod`, field)
      return description === undefined ? {} : { description }
    }
    return {
      apiVersion: { ...text("apiVersion"), type: "string" },
      kind: { ...text("kind"), type: "string" },
      metadata: this.#with(this.ref(`${meta}.ObjectMeta`), text("metadata")),
    }
  }

  /** `texts`: for fields of a schema that has no published name, whose texts they have. */
  #object(schema: Schema, texts: Readonly<Partial<Record<string, string>>> = {}): Json {
    const out: Json = { type: "object" }
    const required: Field[] = []
    const properties: Json = {}
    for (const [name, field] of schema.fields ?? []) {
      if (field.required) required.push(field)
      properties[name] = this.#field(schema.name ?? texts[name], field)
    }
    if (required.length > 0)
      out["required"] = schema.requiredOrder ?? required.sort(byProto).map((field) => field.name)
    if (Object.keys(properties).length > 0) out["properties"] = properties
    if (schema.preserveUnknown) out["x-kubernetes-preserve-unknown-fields"] = true
    const gvks = schema.name && this.#gvks.get(schema.name)
    if (gvks) out["x-kubernetes-group-version-kind"] = gvks
    if (schema.atomic) out["x-kubernetes-map-type"] = "atomic"
    if (schema.unions) out["x-kubernetes-unions"] = schema.unions
    return out
  }

  #field(owner: string | undefined, field: Field): Json {
    const extra: Json = {}
    const text = owner && this.#describe(owner, field.name)
    if (text) extra["description"] = text
    // Published documents of version 2 have no defaults.
    if (field.default !== undefined && this.#version === 3) extra["default"] = field.default
    if (field.enum) extra["enum"] = field.enum
    if (field.mapKeys) extra["x-kubernetes-list-map-keys"] = field.mapKeys
    if (field.listType) extra["x-kubernetes-list-type"] = field.listType
    if (field.atomic || field.granular)
      extra["x-kubernetes-map-type"] = field.granular ? "granular" : "atomic"
    if (field.mergeKey) extra["x-kubernetes-patch-merge-key"] = field.mergeKey
    if (field.patchStrategy) extra["x-kubernetes-patch-strategy"] = field.patchStrategy.join(",")
    const type = this.#type(field.schema, opaqueFields[`${owner} ${field.name}`])
    if (field.eachEnum)
      Object.assign((type["items"] ?? type["additionalProperties"]) as Json, { enum: field.eachEnum })
    return this.#with(type, extra, owner !== jsonSchema || field.name === "default")
  }

  /** `hasText`: whether the published field has one, which a reference in version 3 cannot stand beside. */
  #with(type: Json, extra: Json, hasText = false): Json {
    if (!("$ref" in type)) return { ...extra, ...type }
    if (this.#version === 2) return { ...extra, ...type }
    return hasText || Object.keys(extra).length > 0 ? { ...extra, allOf: [type] } : type
  }

  /** `any`: the definition that any value is here. */
  #type(schema: Schema, any?: string): Json {
    const scalar = named[schema.type]
    if (scalar) return this.ref(scalar)
    switch (schema.type) {
      case "object":
        return schema.name ? this.ref(schema.name) : this.#object(schema)
      case "map":
        return { type: "object", additionalProperties: this.#type(schema.values ?? { type: "string" }, any) }
      case "array":
        return { type: "array", items: this.#type(schema.items ?? { type: "string" }, any) }
      case "bytes":
        return { type: "string", format: "byte" }
      case "any": {
        const name = any ?? opaque.get(schema)
        return name ? this.ref(name) : { type: "object" }
      }
      default:
        return schema.format ? { type: schema.type, format: schema.format } : { type: schema.type }
    }
  }
}

/** What a custom kind can be selected by, beside its name. */
function selectableFields(kind: Kind): Json {
  const paths = kind.rules === "structural" ? Object.keys(kind.selectableFields ?? {}) : []
  if (paths.length === 0) return {}
  return { "x-kubernetes-selectable-fields": paths.map((fieldPath) => ({ fieldPath })) }
}

/** The definition's name of a kind. */
export function nameOf(kind: Kind): string {
  if (kind.rules === "native" && kind.schema.name) return kind.schema.name
  const reversed = kind.group.split(".").reverse().join(".")
  return `${reversed}.${kind.version}.${kind.kind}`
}

/** In the order of the declaration, which the numbers of protobuf fields follow. */
function byProto({ proto: a = [] }: Field, { proto: b = [] }: Field): number {
  for (const [index, number] of a.entries()) {
    const difference = number - (b[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
