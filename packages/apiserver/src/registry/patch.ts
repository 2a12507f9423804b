/**
 * Patching an object: JSON patch, merge patch, strategic merge patch and apply, each an update whose object is
 * made from the present one. Mirrors: apiserver pkg/endpoints/handlers/patch.go
 */
import {
  applyJSONPatch,
  applyMergePatch,
  applyStrategicMergePatch,
  badRequest,
  DecodeError,
  decodeObject,
  field,
  genericServerResponse,
  goJson,
  goTypeOf,
  inGoOrder,
  goValue,
  internalError,
  invalid,
  type Kind,
  type KubeObject,
  PatchError,
  requestEntityTooLarge,
  type Schema,
  type StatusError,
  strictErrorMessage,
  unsupportedMediaType,
} from "@knarr/apimachinery"
import { setObjectDefaults } from "./defaults.ts"
import { isKnown, unregistered, wrongKind } from "./known-types.ts"
import { applyToObject } from "./managed-fields.ts"
import type { ObjectRef, WriteRequest } from "./request.ts"
import type { ResourceStorage, Written } from "./storage.ts"
import { updateObject, type UpdateOptions } from "./update.ts"
import { checkName, nameUndetermined } from "./verbs/names.ts"

export type PatchType = "json" | "merge" | "strategic" | "apply"
export type FieldValidation = "Strict" | "Warn" | "Ignore"

/** A change of an object, as a client tells it. */
export interface Patch {
  readonly type: PatchType
  /** Operations for "json", else a partial object; shared and not changed. */
  readonly body: unknown
  /** Duplicate fields that were found when the body was read. */
  readonly strictErrors?: readonly string[]
  readonly fieldValidation: FieldValidation
  /** Only for apply. */
  readonly force?: boolean
}

/** Patches an object through one of its endpoints; apply also creates it. */
export async function patchObject(
  storage: ResourceStorage,
  ref: ObjectRef,
  patch: Patch,
  request: WriteRequest,
  endpoint: Pick<UpdateOptions, "subresource" | "strategy">,
): Promise<Written> {
  const { kind, deps } = storage
  const { subresource } = endpoint
  checkPatchType(kind, patch.type)
  let first = true
  if (patch.type === "apply") {
    return updateObject(storage, ref, request, {
      ...endpoint,
      create: subresource === "",
      applied: true,
      next: (current) => {
        const obj = applyToObject(kind, current, patch.body as KubeObject, {
          manager: request.fieldManager,
          force: patch.force ?? false,
          subresource,
          nowMs: deps.env.clock.now(),
        })
        checkName(obj, ref)
        tellDuplicates(patch, first ? request.warnings : [])
        first = false
        return obj
      },
    })
  }
  return updateObject(storage, ref, request, {
    ...endpoint,
    next: (current) => {
      if (!current) throw storage.notFound(ref.name)
      const warnings = first ? request.warnings : []
      const value = withTypeOf(kind, applyPatch(kind.schema, current, patch), patch, ref, warnings)
      const obj = decodePatched<KubeObject>(kind.schema, value, patch, warnings)
      first = false
      checkName(obj, ref)
      setObjectDefaults(kind, obj, deps.env.clock.now())
      return obj
    },
  })
}

const patchTypes: ReadonlyMap<string, PatchType> = new Map([
  ["application/json-patch+json", "json"],
  ["application/merge-patch+json", "merge"],
  ["application/strategic-merge-patch+json", "strategic"],
  ["application/apply-patch+yaml", "apply"],
])

/** The patch that a media type stands for. */
export function patchTypeOf(mediaType: string): PatchType | undefined {
  return patchTypes.get(mediaType)
}

/** Throws 415 for a strategic patch of a kind that has no types by which lists could be merged. */
export function checkPatchType(kind: Kind, type: PatchType): void {
  if (type !== "strategic" || kind.rules === "native") return
  throw unsupportedMediaType([...patchTypes.keys()].filter((name) => patchTypes.get(name) !== "strategic"))
}

/** Warns of, or refuses, keys that an applied text has twice. Throws a StatusError. */
export function tellDuplicates(
  { strictErrors = [], fieldValidation }: Pick<Patch, "strictErrors" | "fieldValidation">,
  warnings: string[],
): void {
  if (strictErrors.length === 0 || fieldValidation === "Ignore") return
  if (fieldValidation === "Warn") warnings.push(...strictErrors)
  else
    throw badRequest(
      "error strict decoding patch: error converting YAML to JSON: yaml: unmarshal errors:\n" +
        strictErrors.map((text) => `  ${text}`).join("\n"),
    )
}

/** The document after the patch. Throws StatusErrors. */
export function applyPatch(schema: Schema, current: object, patch: Patch): unknown {
  try {
    switch (patch.type) {
      case "json":
        return applyJSONPatch(current, patch.body)
      case "merge":
        return applyMergePatch(current, patch.body)
      default:
        // No patch at all changes nothing.
        if (patch.body === null) return current
        if (typeof patch.body !== "object" || Array.isArray(patch.body)) {
          throw badRequest(
            `json: cannot unmarshal ${jsonType(patch.body)} into Go value of type map[string]interface {}`,
          )
        }
        return applyStrategicMergePatch(
          schema,
          current as Record<string, unknown>,
          patch.body as Record<string, unknown>,
        )
    }
  } catch (thrown) {
    throw thrown instanceof PatchError ? statusOfPatchError(thrown) : thrown
  }
}

function jsonType(value: unknown): string {
  return Array.isArray(value)
    ? "array"
    : value === null
      ? "null"
      : typeof value === "boolean"
        ? "bool"
        : typeof value
}

function statusOfPatchError(error: PatchError): StatusError {
  switch (error.kind) {
    case "bad-request":
      return badRequest(error.message)
    case "too-large":
      return requestEntityTooLarge(error.message)
    case "unprocessable":
      return genericServerResponse(422, "", { group: "", resource: "" }, "", error.message)
    default:
      return internalError(error.message)
  }
}

/** The object with its fields in order. */
function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}

function deepSorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value
  if (Array.isArray(value)) return value.map(deepSorted)
  return sorted(Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, deepSorted(inner)])))
}

/** The names on the ways to what a patch of JSON looks at. */
function touchedBy(patch: Pick<Patch, "type" | "body">): unknown {
  if (patch.type !== "json" || !Array.isArray(patch.body)) return patch.body
  const root: Record<string, unknown> = {}
  for (const { path, from } of patch.body as { path?: unknown; from?: unknown }[])
    for (const pointer of [path, from])
      if (typeof pointer === "string") {
        let at = root
        for (const part of pointer.split("/").slice(1)) {
          const name = part.replaceAll("~1", "/").replaceAll("~0", "~")
          at = (at[name] ??= {}) as Record<string, unknown>
        }
      }
  return root
}

/** A patched document as it is shown: what the patch went into has its fields by name, the rest as Go orders them. */
function shownDocument(schema: Schema, value: unknown, patch: Pick<Patch, "type" | "body">): unknown {
  return inGoOrder(schema, value, touchedBy(patch) ?? {})
}

/**
 * A patch never changes what an object is: a strategic one leaves kind and version alone, as do others that take the
 * kind out, and any other that would change it is refused. Throws a StatusError.
 */
function withTypeOf(kind: Kind, value: unknown, patch: Patch, ref: ObjectRef, warnings: string[]): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value
  const { apiVersion, kind: name } = value as { apiVersion?: unknown; kind?: unknown }
  if (apiVersion === kind.apiVersion && name === kind.kind) return value
  const fail = (why: string): never => failPatched(kind.schema, value, patch, why)
  for (const [at, item] of Object.entries({ kind: name, apiVersion })) {
    if (item === undefined || item === null || typeof item === "string") continue
    if (patch.type === "strategic") fail(`cannot convert ${goTypeOf(item)} to string`)
    fail(
      "couldn't get version/kind; json parse error: json: cannot unmarshal " +
        `${jsonType(item)} into Go struct field .${at} of type string`,
    )
  }
  const typed = { ...value, apiVersion: kind.apiVersion, kind: kind.kind }
  if (patch.type === "strategic") return typed
  const type = { apiVersion: (apiVersion ?? "") as string, kind: (name || kind.kind) as string }
  if (type.kind !== kind.kind) fail(wrongKind(value, type, kind.group, kind.kind))
  if (type.apiVersion === kind.apiVersion) return typed
  if (type.apiVersion !== "")
    fail(isKnown(type) ? wrongKind(value, type, kind.group, kind.kind) : unregistered(type))
  // What says no version is read as the form that no client sees, which has no names in JSON.
  const unknown = Object.keys(value)
    .filter((at) => at !== "apiVersion" && at !== "kind")
    .map((at) => `unknown field ${JSON.stringify(at)}`)
  if (patch.fieldValidation === "Strict" && unknown.length > 0) fail(strictErrorMessage(unknown))
  if (patch.fieldValidation === "Warn") warnings.push(...unknown)
  throw nameUndetermined(ref)
}

/** Refuses a patched document, or the patch when it was strategic. Throws a StatusError. */
function failPatched(
  schema: Schema,
  value: unknown,
  patch: Pick<Patch, "type" | "body">,
  why: string,
): never {
  const shown =
    patch.type === "strategic"
      ? goValue(patch.body)
      : goJson(schema.reader ? deepSorted(value) : shownDocument(schema, value, patch))
  throw invalid({ group: "", kind: "" }, "", [field.invalid("patch", shown, why)])
}

/** Reads a patched document as an object of its shape, with the checks that `fieldValidation` asks for. */
export function decodePatched<T>(
  schema: Schema,
  value: unknown,
  patch: Pick<Patch, "type" | "body" | "fieldValidation" | "strictErrors">,
  warnings: string[],
): T {
  const fail = (why: string): never => failPatched(schema, value, patch, why)
  const strict = patch.fieldValidation !== "Ignore"
  let decoded
  try {
    decoded = decodeObject<T>(schema, value, { strict, keepEmpties: true })
  } catch (thrown) {
    if (thrown instanceof DecodeError)
      return fail(patch.type === "strategic" ? thrown.unstructuredMessage : thrown.message)
    throw thrown
  }
  const errors = strict ? [...(patch.strictErrors ?? []), ...decoded.strictErrors] : []
  if (errors.length > 0) {
    if (patch.fieldValidation === "Strict") fail(strictErrorMessage(errors))
    warnings.push(...errors)
  }
  return decoded.object
}
