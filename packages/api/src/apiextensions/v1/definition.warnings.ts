/** What users should know about a definition that is accepted. Mirrors: apiextensions pkg/registry/customresourcedefinition/strategy.go */
import { hoist } from "./hoisted-spec.ts"
import { schemaHas } from "./schema-walk.ts"
import type { CustomResourceDefinition, JSONSchemaProps } from "./types.gen.ts"

/** Formats of texts that are looked at, without their hyphens. */
const textFormats = new Set(
  "bsonobjectid uri email hostname ipv4 ipv6 cidr mac uuid uuid3 uuid4 uuid5 isbn isbn10 isbn13 creditcard ssn hexcolor rgbcolor byte password date duration datetime k8sshortname k8slongname".split(
    " ",
  ),
)

function isKnownFormat({ type = "", format = "" }: JSONSchemaProps): boolean {
  if (type === "" || type === "string") return textFormats.has(format.replaceAll("-", ""))
  if (type === "integer") return format === "int32" || format === "int64"
  return type === "number" && (format === "float" || format === "double")
}

function schemasOf(definition: Readonly<CustomResourceDefinition>): JSONSchemaProps[] {
  const { schema, versions } = hoist(definition.spec)
  return [schema, ...versions.map((version) => version.schema)].flatMap((one) =>
    one?.openAPIV3Schema ? [one.openAPIV3Schema] : [],
  )
}

/** Warnings about a new definition, and about what an update brings. */
export function definitionWarnings(
  definition: Readonly<CustomResourceDefinition>,
  old?: Readonly<CustomResourceDefinition>,
): string[] {
  const known = new Set(old ? [...formatWarnings(old), ...setWarnings(old)] : [])
  return [...formatWarnings(definition), ...setWarnings(definition)].filter((text) => !known.has(text))
}

function formatWarnings(definition: Readonly<CustomResourceDefinition>): string[] {
  const out: string[] = []
  for (const schema of schemasOf(definition))
    schemaHas(schema, (one) => {
      if (one.format && !isKnownFormat(one)) out.push(`unrecognized format ${JSON.stringify(one.format)}`)
      return false
    })
  return out
}

function setWarnings(definition: Readonly<CustomResourceDefinition>): string[] {
  const out = new Set<string>()
  for (const schema of schemasOf(definition))
    schemaHas(schema, (one) => {
      const { items } = one
      const type = items && !Array.isArray(items) ? items.type : undefined
      if (one["x-kubernetes-list-type"] === "set" && (type === "object" || type === "array"))
        out.add(
          `x-kubernetes-list-type: set for items of type "${type}" is not supported by server-side apply or CEL validation rules`,
        )
      return false
    })
  return [...out].sort()
}
