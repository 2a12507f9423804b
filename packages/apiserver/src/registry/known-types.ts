/** What is said of an object of another kind than is wanted. Mirrors: apimachinery pkg/runtime (scheme, codec) */
import { DecodeError, decodeObject, schemaOfType } from "@knarr/apimachinery"

/** Where upstream's registry of types says that it was made. */
const scheme = "pkg/runtime/scheme.go:111"

interface Type {
  readonly apiVersion: string
  readonly kind: string
}

/** Whether there is such a kind, served or not. */
export function isKnown(type: Type): boolean {
  return schemaOfType(type) !== undefined
}

/** Why `value`, which says that it is of another kind, is none of this kind of `group`. */
export function wrongKind(value: unknown, type: Type, group: string, kind: string): string {
  const schema = schemaOfType(type)
  if (!schema) return unregistered(type)
  try {
    decodeObject(schema, value)
  } catch (thrown) {
    if (thrown instanceof DecodeError) return thrown.message
    throw thrown
  }
  const version = type.apiVersion.split("/").pop()!
  return (
    `converting (${version}.${type.kind}) to (${group.split(".")[0] || "core"}.${kind}): ` +
    "unknown conversion"
  )
}

export function unregistered({ apiVersion, kind }: Type): string {
  return `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme "${scheme}"`
}
