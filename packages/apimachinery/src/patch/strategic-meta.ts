/**
 * What a strategic merge patch asks the schema: the shape below a field, its strategy and its merge key; and the
 * directives' names. Mirrors: apimachinery pkg/util/strategicpatch/meta.go
 */
import { goQuote } from "../go-format.ts"
import type { Schema } from "../schema.ts"
import { PatchError } from "./patch-error.ts"

export const directiveKey = "$patch"
export const retainKeysKey = "$retainKeys"
export const deleteListPrefix = "$deleteFromPrimitiveList"
export const elementOrderPrefix = "$setElementOrder"

/** What the patch rules know about one field. */
export interface PatchMeta {
  /** The shape below: of the object itself, or of a list's items. Undefined where the schema knows nothing. */
  readonly schema: Schema | undefined
  readonly strategy: "merge" | "replace" | undefined
  readonly retainKeys: boolean
  /** "" when there is none. */
  readonly mergeKey: string
}

const unknownMeta: PatchMeta = { schema: undefined, strategy: undefined, retainKeys: false, mergeKey: "" }
const known = new WeakMap<Schema, Map<string, PatchMeta>>()

/** The rules of the field `key` below `schema`. Throws {@link PatchError} `internal` when an object has no such field. */
export function patchMeta(schema: Schema | undefined, key: string): PatchMeta {
  if (!schema) return unknownMeta
  if (schema.type === "map") {
    const { values } = schema
    return values ? { ...unknownMeta, schema: values.type === "array" ? values.items : values } : unknownMeta
  }
  if (schema.type !== "object") return unknownMeta
  let metas = known.get(schema)
  if (!metas) known.set(schema, (metas = new Map()))
  const seen = metas.get(key)
  if (seen) return seen
  const field = schema.fields?.get(key)
  if (!field) {
    if (schema.preserveUnknown) return unknownMeta
    throw new PatchError(
      "internal",
      `unable to find api field in struct ${schemaName(schema)} for the json field ${goQuote(key)}`,
    )
  }
  const strategies = field.patchStrategy ?? []
  const meta: PatchMeta = {
    schema: field.schema.type === "array" ? field.schema.items : field.schema,
    strategy: strategies.find((strategy) => strategy !== "retainKeys"),
    retainKeys: strategies.includes("retainKeys"),
    mergeKey: field.mergeKey ?? "",
  }
  metas.set(key, meta)
  return meta
}

/** The last part of a definition's name: `Container`. */
export function schemaName(schema: Schema | undefined): string {
  const name = schema?.name ?? ""
  return name.slice(name.lastIndexOf(".") + 1)
}

/** The list's name in a directive such as `$setElementOrder/containers`. */
export function listOfDirective(key: string, prefix: string): string {
  const at = key.indexOf("/")
  if (at < 0 || key.slice(0, at) !== prefix) throw badOrderList()
  return key.slice(at + 1)
}

export const badOrderList = (): PatchError =>
  new PatchError("bad-request", "invalid patch format of setElementOrder list")
export const badRetainKeys = (): PatchError =>
  new PatchError("bad-request", "invalid patch format of retainKeys")
