/** The shape of what a resource or a subresource takes. */
import { type Kind, type Schema, schemaOf, type Subresource } from "@knarr/apimachinery"

export interface Shape {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly schema: Schema
}

const anything: Schema = { type: "any", preserveUnknown: true }

/** The kind itself, unless the kind declares that the subresource takes another. */
export function shapeOf(kind: Kind, subresource: string): Shape {
  const declared = subresource === "" ? undefined : kind.subresources.get(subresource)
  if (declared?.kind) return shapeOfType(declared.kind)
  return { group: kind.group, version: kind.version, kind: kind.kind, schema: kind.schema }
}

function shapeOfType({ group, version, kind, schema }: NonNullable<Subresource["kind"]>): Shape {
  if (schema) return { group, version, kind, schema }
  const short = group === "" ? "core" : group.split(".")[0]!
  try {
    return { group, version, kind, schema: schemaOf(`io.k8s.api.${short}.${version}.${kind}`) }
  } catch {
    return { group, version, kind, schema: anything }
  }
}
