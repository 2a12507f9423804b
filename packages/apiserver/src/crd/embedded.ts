/**
 * Whole objects within a custom resource: their type and metadata are those of any object.
 * Mirrors: apiextensions pkg/apiserver/schema/objectmeta
 */
import type { JSONSchemaProps } from "@knarr/api"
import {
  DecodeError,
  decodeObject,
  field,
  fieldErrorMessage,
  isDNS1035Label,
  nameIsPathSegment,
  type FieldError,
  type KubeObject,
  schemaOf,
  validateObjectMeta,
} from "@knarr/apimachinery"
import { itemsOf, propertyOf } from "./prune.ts"

type Shape = JSONSchemaProps | undefined
type Loose = Record<string, unknown>
type Visit = (obj: Loose, path: string) => void

const objectMeta = (): ReturnType<typeof schemaOf> =>
  schemaOf("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")

/** The paths in what strict decoding says of unknown fields. */
export function unknownPaths(strictErrors: readonly string[]): string[] {
  return strictErrors.map((text) => JSON.parse(text.replace(/^unknown field /, "")) as string)
}

/** Whether anything below is a whole object. */
export function hasEmbedded(shape: Shape): boolean {
  if (!shape) return false
  if (shape["x-kubernetes-embedded-resource"]) return true
  const more = shape.additionalProperties
  return (
    hasEmbedded(itemsOf(shape)) ||
    hasEmbedded(typeof more === "object" ? more : undefined) ||
    Object.values(shape.properties ?? {}).some(hasEmbedded)
  )
}

function visitEmbedded(value: unknown, shape: Shape, path: string, visit: Visit): void {
  if (typeof value !== "object" || value === null || !shape) return
  if (Array.isArray(value)) {
    for (const [i, item] of value.entries()) visitEmbedded(item, itemsOf(shape), field.index(path, i), visit)
    return
  }
  const obj = value as Loose
  if (shape["x-kubernetes-embedded-resource"]) visit(obj, path)
  for (const name of Object.keys(obj)) {
    const named = shape.properties !== undefined && Object.hasOwn(shape.properties, name)
    const at = named ? field.child(path, name) : field.key(path, name)
    visitEmbedded(obj[name], propertyOf(shape, name)?.shape, at, visit)
  }
}

/**
 * Reads the metadata of embedded objects as metadata, in place; returns the paths of unknown fields in it. Throws a
 * DecodeError for what does not fit.
 */
export function coerceEmbedded(obj: Loose, shape: Shape): string[] {
  const unknown: string[] = []
  visitEmbedded(obj, shape, "", (one, path) => {
    const refuse = (name: string, why: string): never => {
      throw new DecodeError(fieldErrorMessage(field.invalid(field.child(path, name), one[name], why)))
    }
    for (const name of ["apiVersion", "kind"])
      if (Object.hasOwn(one, name) && typeof one[name] !== "string") refuse(name, "must be a string")
    if (!Object.hasOwn(one, "metadata")) return
    try {
      const { object, strictErrors } = decodeObject<Loose>(objectMeta(), one.metadata, { strict: true })
      for (const inner of unknownPaths(strictErrors))
        unknown.push(`${field.child(path, "metadata")}.${inner}`)
      one.metadata = object
    } catch (thrown) {
      if (!(thrown instanceof DecodeError)) throw thrown
      refuse("metadata", thrown.message)
    }
  })
  return unknown
}

/** The problems of embedded objects' types and metadata. */
export function validateEmbedded(obj: object, shape: Shape): FieldError[] {
  const out: FieldError[] = []
  visitEmbedded(obj, shape, "", (one, path) => {
    for (const name of ["apiVersion", "kind"] as const) {
      const at = field.child(path, name)
      const value = one[name]
      if (value === undefined) out.push(field.required(at, ""))
      else if (typeof value !== "string") out.push(field.invalid(at, value, "must be a string"))
      else if (value === "") out.push(field.invalid(at, value, "must not be empty"))
      else out.push(...(name === "kind" ? kindProblems(at, value) : versionProblems(at, value)))
    }
    const { metadata } = one
    if (typeof metadata !== "object" || metadata === null) return
    const meta = { ...(metadata as KubeObject["metadata"]) }
    meta.name ||= "fakename"
    const namespaced = (meta.namespace ?? "") !== ""
    out.push(...validateObjectMeta(meta, namespaced, nameIsPathSegment, field.child(path, "metadata")))
  })
  return out
}

function kindProblems(at: string, kind: string): FieldError[] {
  const problems = isDNS1035Label(kind.toLowerCase())
  if (problems.length === 0) return []
  const text = `may have mixed case, but should otherwise match: ${problems.join(",")}`
  return [field.invalid(at, kind, text)]
}

function versionProblems(at: string, apiVersion: string): FieldError[] {
  if (apiVersion.split("/").length <= 2) return []
  return [field.invalid(at, apiVersion, `unexpected GroupVersion string: ${apiVersion}`)]
}
