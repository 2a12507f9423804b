/** The `scale` subresource of any kind that has one. Mirrors: pkg/registry/apps/deployment/storage ScaleREST */
import {
  applyConfig,
  badRequest,
  conflict,
  decodeObject,
  deepClone,
  field,
  formatTime,
  goQuote,
  internalError,
  invalid,
  type Kind,
  type KubeObject,
  type ManagedFieldsContext,
  selectorFrom,
  optimisticLockMessage,
  type Schema,
  schemaOf,
  updateManagers,
} from "@knarr/apimachinery"
import type { CachedObject } from "../cached-object.ts"
import type { ObjectRef, WriteRequest } from "../request.ts"
import type { ResourceStorage } from "../storage.ts"
import { applyPatch, checkPatchType, decodePatched, type Patch, tellDuplicates } from "../patch.ts"
import { preconditionFailed, updateObject } from "../update.ts"
import { mainStrategy } from "../update-strategies.ts"
import { defineHandler } from "../verbs/handler.ts"
import { nameUndetermined } from "../verbs/names.ts"
import { managersOfScaled, scaleManagers, setManagers } from "./scale-managers.ts"

interface Scale extends KubeObject {
  spec: { replicas?: number | undefined }
  status: { replicas: number; selector?: string | undefined }
}

interface Scalable extends KubeObject {
  spec?: { replicas?: number; selector?: unknown }
  status?: { replicas?: number }
}

export const scale = defineHandler<Scale>({
  name: "scale",
  async get({ storage, ref }, { resourceVersion, signal }) {
    const object = await storage.get(ref, resourceVersion, signal)
    const { scale: own } = storage.kind
    if (own?.hasReplicas?.(storage.view.value(object)) === false)
      throw internalError(
        `the spec replicas field ${goQuote(`.${(own.replicasPath ?? []).join(".")}`)} does not exist`,
      )
    return { code: 200, value: scaleOf(storage, object) }
  },
  async update({ storage, ref }, body, request) {
    if (!body.metadata.name) throw nameUndetermined(ref)
    body.spec ??= {}
    return { code: 200, value: await updateScale(storage, ref, request, () => body) }
  },
  async patch({ storage, ref }, patch, request) {
    checkPatchType(storage.kind, patch.type)
    const change = patch.type === "apply" ? applying : patching
    return { code: 200, value: await change(storage, ref, patch, request) }
  },
})

async function patching(
  storage: ResourceStorage,
  ref: ObjectRef,
  patch: Patch,
  request: WriteRequest,
): Promise<Scale> {
  const schema = scaleSchema()
  return updateScale(storage, ref, request, (present) =>
    decodePatched<Scale>(schema, applyPatch(schema, present, patch), patch, request.warnings),
  )
}

async function applying(
  storage: ResourceStorage,
  ref: ObjectRef,
  patch: Patch,
  request: WriteRequest,
): Promise<Scale> {
  const { body, force = false } = patch
  const next = (present: Scale, context: ManagedFieldsContext): Scale => {
    const { object } = applyConfig(context, present, body as object, request.fieldManager, force)
    return decodeObject<Scale>(scaleSchema(), object).object
  }
  const answer = await updateScale(storage, ref, request, next, true)
  tellDuplicates(patch, request.warnings)
  return answer
}

function scaleSchema(): Schema {
  return schemaOf("io.k8s.api.autoscaling.v1.Scale")
}

/** The scale of an object. */
function scaleOf(storage: ResourceStorage, object: CachedObject): Scale {
  const obj = storage.view.value(object) as Scalable
  return scaleOfObject(storage.kind, {
    ...obj,
    metadata: { ...obj.metadata, resourceVersion: String(object.revision) },
  })
}

function scaleOfObject(kind: Kind, obj: Scalable): Scale {
  const { name, namespace, uid, creationTimestamp, resourceVersion } = obj.metadata
  const replicas = kind.scale?.getReplicas(obj) ?? obj.spec?.replicas ?? 0
  const selector = kind.scale ? kind.scale.selector(obj) : selectorText(obj)
  const metadata: KubeObject["metadata"] = { name, uid, resourceVersion, creationTimestamp }
  if (namespace) metadata.namespace = namespace
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata,
    spec: replicas === 0 ? {} : { replicas },
    status: {
      replicas: kind.scale?.statusReplicas(obj) ?? obj.status?.replicas ?? 0,
      ...(selector === "" ? {} : { selector }),
    },
  }
}

function setReplicas(kind: Kind, obj: Scalable, { spec }: Pick<Scale, "spec">): void {
  const replicas = spec?.replicas ?? 0
  if (kind.scale) kind.scale.setReplicas(obj, replicas)
  else obj.spec = { ...obj.spec, replicas }
}

function selectorText(obj: Scalable): string {
  const selector = obj.spec?.selector
  if (typeof selector !== "object" || selector === null) return ""
  return selectorFrom(selector).toString()
}

/**
 * Sets the replicas; `next` makes the wanted scale from the present one, for each attempt. `applied` says that who
 * manages what is already told in it.
 */
async function updateScale(
  storage: ResourceStorage,
  ref: ObjectRef,
  request: WriteRequest,
  next: (present: Scale, context: ManagedFieldsContext) => Scale,
  applied = false,
): Promise<Scale> {
  const { kind } = storage
  const schema = scaleSchema()
  const written = await updateObject(storage, ref, request, {
    subresource: "scale",
    strategy: mainStrategy,
    applied: true,
    next(current) {
      const object = storage.cache.get(storage.key(ref))
      if (!current || !object) throw storage.notFound(ref.name)
      const present = scaleOf(storage, object)
      const managers = scaleManagers(kind, current)
      if (managers.length > 0) present.metadata.managedFields = managers
      const context: ManagedFieldsContext = {
        schema,
        apiVersion: present.apiVersion,
        subresource: "scale",
        nowText: formatTime(storage.deps.env.clock.now()),
      }
      const wanted = next(present, context)
      checkScale(storage, ref, wanted, object)
      const scale = applied ? wanted : updateManagers(context, present, wanted, request.fieldManager)
      const obj = deepClone(current) as Scalable
      setManagers(obj, managersOfScaled(kind, current, scale))
      setReplicas(kind, obj, scale)
      return obj
    },
    shown: {
      of: (obj) => scaleOfObject(kind, obj as Scalable),
      take: (obj, admitted) => setReplicas(kind, obj as Scalable, admitted as Scale),
    },
  })
  return scaleOf(storage, written.object)
}

function checkScale(storage: ResourceStorage, ref: ObjectRef, scale: Scale, object: CachedObject): void {
  const { name, namespace, uid, resourceVersion } = scale.metadata ?? {}
  if (name && name !== ref.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${ref.name})`)
  }
  if (namespace && namespace !== ref.namespace) {
    throw badRequest(
      `the namespace of the object (${namespace}) does not match the namespace on the request (${ref.namespace})`,
    )
  }
  const replicas = scale.spec?.replicas ?? 0
  // Kinds that may lack the field judge it themselves.
  if (replicas < 0 && !storage.kind.scale?.hasReplicas) {
    throw invalid({ group: "autoscaling", kind: "Scale" }, ref.name, [
      field.invalid("spec.replicas", replicas, "must be greater than or equal to 0"),
    ])
  }
  if (uid && uid !== object.uid) throw preconditionFailed(storage, ref, "UID", uid, object.uid)
  if (resourceVersion && resourceVersion !== String(object.revision)) {
    throw conflict(storage.resource, ref.name, optimisticLockMessage)
  }
}
