/**
 * The bridge from `kubectl apply` to `kubectl apply --server-side`: what the annotation of the former says was applied may
 * be taken over without a conflict, and the annotation follows what is applied.
 * Mirrors: apimachinery pkg/util/managedfields/internal/lastappliedmanager.go and lastappliedupdater.go
 */
import { parseJson } from "@knarr/base"
import { byteLength, compareBytes, goJson } from "../go-format.ts"
import { isObject, type JsonObject } from "../patch/json-value.ts"
import type { Schema } from "../schema.ts"
import { compare, fieldSetOf } from "./compare.ts"
import type { FieldSet } from "./field-set.ts"
import { withoutManagedFields } from "./managers.ts"
import { validateTyped } from "./validate.ts"

/** The annotation in which `kubectl apply` keeps what it applied. */
export const lastAppliedAnnotation = "kubectl.kubernetes.io/last-applied-configuration"
const maxAnnotationBytes = 256 * 1024

/** The text of the annotation; undefined when the object has none. */
export function lastAppliedOf(obj: JsonObject): string | undefined {
  const metadata = obj["metadata"]
  const annotations = isObject(metadata) ? metadata["annotations"] : undefined
  const text = isObject(annotations) ? annotations[lastAppliedAnnotation] : undefined
  return typeof text === "string" && text !== "" ? text : undefined
}

/** The fields that the annotation says were applied and that are still so; undefined when it says nothing. */
export function lastAppliedFields(
  schema: Schema,
  apiVersion: string,
  live: JsonObject,
): FieldSet | undefined {
  const text = lastAppliedOf(live)
  if (text === undefined) return undefined
  let applied: unknown
  try {
    applied = parseJson(text)
  } catch {
    return undefined
  }
  if (!isObject(applied) || applied["apiVersion"] !== apiVersion) return undefined
  if (validateTyped(schema, applied).length > 0) return undefined
  const { added, modified, removed } = compare(schema, applied, live)
  return fieldSetOf(schema, applied).difference(modified).difference(added).difference(removed)
}

/** `obj` with the annotation, which it must have already, set to `config`; one that would be too long is taken away. */
export function withLastApplied(obj: JsonObject, config: JsonObject): JsonObject {
  const metadata = obj["metadata"] as JsonObject
  const annotations = { ...(metadata["annotations"] as JsonObject) }
  const text = goJson(sortKeys(withoutAnnotation(withoutManagedFields(config)))) + "\n"
  annotations[lastAppliedAnnotation] = text
  let size = 0
  for (const key of Object.keys(annotations)) size += byteLength(key) + byteLength(String(annotations[key]))
  if (size > maxAnnotationBytes) delete annotations[lastAppliedAnnotation]
  return { ...obj, metadata: { ...metadata, annotations } }
}

function withoutAnnotation(config: JsonObject): JsonObject {
  const metadata = config["metadata"]
  if (!isObject(metadata) || !isObject(metadata["annotations"])) return config
  const { [lastAppliedAnnotation]: _, ...annotations } = metadata["annotations"]
  return { ...config, metadata: { ...metadata, annotations } }
}

/** A value with the keys of its objects as Go sorts those of maps. */
export function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys)
  if (!isObject(value)) return value
  const out: JsonObject = {}
  for (const key of Object.keys(value).sort(compareBytes)) out[key] = sortKeys(value[key])
  return out
}
