/** The schema of an object as a CustomResourceDefinition writes it; what CEL needs of it. */
export interface CelSchema {
  readonly type?: string
  readonly format?: string
  readonly nullable?: boolean
  readonly properties?: Readonly<Record<string, CelSchema>>
  readonly additionalProperties?: CelSchema | boolean
  readonly items?: CelSchema
  readonly required?: readonly string[]
  readonly enum?: readonly unknown[]
  readonly default?: unknown
  readonly maxLength?: number
  readonly maxItems?: number
  readonly maxProperties?: number
  readonly "x-kubernetes-int-or-string"?: boolean
  readonly "x-kubernetes-embedded-resource"?: boolean
  readonly "x-kubernetes-preserve-unknown-fields"?: boolean
  readonly "x-kubernetes-list-type"?: string
  readonly "x-kubernetes-list-map-keys"?: readonly string[]
}

const text: CelSchema = { type: "string" }
const metadata: CelSchema = { type: "object", properties: { name: text, generateName: text } }
const resources = new WeakMap<CelSchema, CelSchema>()

/** An object that is a resource has these fields, whatever its schema says. */
export function asResource(schema: CelSchema): CelSchema {
  const { properties } = schema
  const own = properties?.["metadata"]?.properties
  if (
    properties?.["kind"]?.type === "string" &&
    properties["apiVersion"]?.type === "string" &&
    own?.["name"]?.type === "string" &&
    own["generateName"]?.type === "string"
  ) {
    return schema
  }
  let made = resources.get(schema)
  if (made === undefined) {
    made = { ...schema, properties: { ...properties, kind: text, apiVersion: text, metadata } }
    resources.set(schema, made)
  }
  return made
}

/** The schema of a map's values, if it is one. */
export function valuesOf(schema: CelSchema): CelSchema | undefined {
  return typeof schema.additionalProperties === "object" ? schema.additionalProperties : undefined
}
