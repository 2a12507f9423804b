/**
 * Creating an object: names, system fields, admission, strategy, validation, one write.
 * Mirrors: apiserver pkg/endpoints/handlers/create.go, pkg/registry/rest/create.go
 */
import {
  alreadyExists,
  decodeObject,
  deepClone,
  generateName,
  generateNameConflict,
  invalid,
  isAlreadyExists,
  type Kind,
  type KubeObject,
  nameIsDNSSubdomain,
  nameIsPathSegment,
  unexpectedError,
  type FieldError,
  type StrategyContext,
  validateObjectMeta,
} from "@knarr/apimachinery"
import { admissionAttributes } from "./admit.ts"
import type { CachedObject } from "./cached-object.ts"
import { setObjectDefaults } from "./defaults.ts"
import { trackUpdate } from "./managed-fields.ts"
import {
  dedupOwnerReferences,
  fillSystemFields,
  matchNamespace,
  toldErrors,
  validateOwnFinalizers,
} from "./metadata.ts"
import type { WriteRequest } from "./request.ts"
import type { ResourceStorage } from "./storage.ts"
import { nothingAllocated } from "./write-hooks.ts"

/** How often a made-up name is tried again when it is taken. */
const nameAttempts = 8

/** Creates `obj`, which belongs to the registry from now on; it has been decoded and defaulted. */
export async function createObject(
  storage: ResourceStorage,
  namespace: string,
  obj: KubeObject,
  request: WriteRequest,
  options: { applied?: boolean } = {},
): Promise<CachedObject> {
  const { kind, deps } = storage
  const { env, admission } = deps
  matchNamespace(kind, obj, namespace)
  clearStatus(kind, obj)
  fillSystemFields(obj, env)
  dedupOwnerReferences(obj, request.warnings, false)
  if (!options.applied) trackUpdate(kind, undefined, obj, request.fieldManager, "", env.clock.now())
  const ref = { namespace: kind.namespaced ? namespace : "", name: obj.metadata.name ?? "" }
  const what = { operation: "CREATE", object: obj, oldObject: undefined } as const
  const attributes = admissionAttributes(storage, ref, what, request)
  const wait = admission.admit(attributes)
  if (wait) await wait
  obj = attributes.object!
  setObjectDefaults(kind, obj, env.clock.now())
  dedupOwnerReferences(obj, request.warnings, true)
  const generated = !obj.metadata.name && !!obj.metadata.generateName
  if (!generated) return createNamed(storage, obj, request)
  for (let attempt = 1; ; attempt++) {
    const next = attempt < nameAttempts ? deepClone(obj) : obj
    next.metadata.name = generateName(obj.metadata.generateName!, env.random)
    try {
      return await createNamed(storage, next, request)
    } catch (thrown) {
      if (!isAlreadyExists(thrown)) throw thrown
      if (attempt === nameAttempts) throw generateNameConflict(storage.resource, next.metadata.name, 1)
    }
  }
}

async function createNamed(
  storage: ResourceStorage,
  obj: KubeObject,
  request: WriteRequest,
): Promise<CachedObject> {
  const { kind, deps } = storage
  const taken = deps.hooksOf(kind)?.beginCreate?.(obj, request.dryRun) ?? nothingAllocated
  const allocation = taken instanceof Promise ? await taken : taken
  let done = false
  try {
    const warn = (text: string): number => request.warnings.push(text)
    prepareForCreate(kind, obj, { nowMs: deps.env.clock.now(), user: request.user, warn })
    const errors = [...(deps.hooksOf(kind)?.validateCreate?.(obj) ?? []), ...validateCreate(kind, obj)]
    const name = obj.metadata.name ?? ""
    const told = kind.rules === "structural" ? { group: kind.group, kind: obj.kind } : storage.view.stored
    if (errors.length > 0) throw invalid(told, name, errors)
    if (kind.warnings) request.warnings.push(...kind.warnings(obj))
    const ref = { namespace: obj.metadata.namespace ?? "", name }
    const what = { operation: "CREATE", object: obj, oldObject: undefined } as const
    const wait = deps.admission.validate(admissionAttributes(storage, ref, what, request))
    if (wait) await wait
    refuseVersion(obj, request)
    const run = { dryRun: request.dryRun, signal: request.signal, creates: true }
    const written = await storage.write(storage.key(ref), run, async (current) => {
      if (!current) return { put: obj }
      const error = alreadyExists(storage.resource, name)
      if (!current.value.metadata.deletionTimestamp) throw error
      error.status.message = error.message = `object is being deleted: ${error.message}`
      throw error
    })
    done = true
    return written.object
  } finally {
    const settled = done && !request.dryRun ? allocation.commit() : allocation.revert()
    if (settled) await settled
  }
}

/** What comes with a version has been stored before, it says. A dry run never gets as far as the store. */
function refuseVersion({ metadata }: KubeObject, request: WriteRequest): void {
  if (request.dryRun || !/^[1-9]\d*$/.test(metadata.resourceVersion ?? "")) return
  throw unexpectedError("resourceVersion should not be set on objects to be created")
}

/** Puts a new object into the state in which it is validated. */
function prepareForCreate(kind: Kind, obj: KubeObject, ctx: StrategyContext): void {
  if (kind.hasGeneration) obj.metadata.generation = 1
  kind.prepareForCreate?.(obj, ctx)
}

/** A status that is written through an endpoint of its own begins empty; built-in kinds always show it. */
function clearStatus(kind: Kind, obj: KubeObject): void {
  const loose = obj as unknown as Record<string, unknown>
  const shape = kind.rules === "structural" ? undefined : kind.schema.fields?.get("status")?.schema
  if (kind.subresources.has("status") && !kind.keepsStatusOnCreate) delete loose.status
  if (shape && loose.status === undefined) loose.status = decodeObject(shape, {}).object
}

function validateCreate(kind: Kind, obj: Readonly<KubeObject>): readonly FieldError[] {
  const { metadataProblems: where = "first" } = kind
  const own = kind.validate?.(obj) ?? []
  if (where === "alone" && own.length > 0) return toldErrors(kind, own)
  const validateName = (name: string, prefix: boolean): string[] =>
    where === "alone"
      ? nameIsPathSegment(name, prefix)
      : (kind.validateName ?? nameIsDNSSubdomain)(name, prefix, obj)
  const ofMetadata = validateObjectMeta(obj.metadata, kind.namespaced, validateName, "metadata")
  if (where !== "alone") ofMetadata.push(...validateOwnFinalizers(kind, obj))
  return toldErrors(kind, where === "last" ? [...own, ...ofMetadata] : [...ofMetadata, ...own])
}
