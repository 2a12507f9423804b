/** POST, PUT and PATCH of a resource. Mirrors: apiserver pkg/endpoints/handlers/{create,update,patch}.go */
import {
  badRequest,
  type Kind,
  type KubeObject,
  type StatusError,
  statusErrorFrom,
  unsupportedMediaType,
} from "@knarr/apimachinery"
import { tableOf } from "@knarr/base"
import type { CachedObject } from "../../registry/cached-object.ts"
import { createObject } from "../../registry/create.ts"
import { setObjectDefaults } from "../../registry/defaults.ts"
import { trackUpdate } from "../../registry/managed-fields.ts"
import { patchObject, type PatchType } from "../../registry/patch.ts"
import { putting, updateObject } from "../../registry/update.ts"
import type { UpdateStrategy } from "../../registry/update-strategies.ts"
import type { Call } from "./call.ts"
import { answerBytes, answerValue } from "./answer.ts"
import { contentType, expectedOf, readObject, readPatch } from "./body.ts"
import { itemEncoder } from "./item-encoder.ts"
import { answerForm, checkOne, plainOnly, type AnswerForm } from "./negotiation.ts"
import { writeRequest } from "./options.ts"

/** Answers with an object that was written. */
export function answerObject(
  call: Call,
  form: AnswerForm,
  status: number,
  object: CachedObject,
): Promise<void> {
  const { exchange, storage, env, columns } = call
  checkOne(form, storage.kind)
  if (form.as === "") return answerBytes(exchange, status, form, storage.view.bytes(object))
  const encoder = itemEncoder(storage.view, form, exchange.query, () => env.clock.now(), columns)
  if (form.as !== "Table") return answerBytes(exchange, status, form, encoder.item(object))
  const text =
    encoder.header(object.revision === 0 ? {} : { resourceVersion: String(object.revision) }) +
    `[${encoder.item(object).toString()}]}`
  return answerValue(exchange, status, form, JSON.parse(text))
}

export async function handleCreate(call: Call): Promise<void> {
  const { exchange, ctx, registry, storage, env } = call
  const { kind } = storage
  const form = answerForm(exchange, ctx.userAgent)
  const { request, fieldValidation } = writeRequest(exchange.query, ctx, "CreateOptions")
  const obj = await readObject<KubeObject>(exchange, expectedOf(kind), fieldValidation, ctx)
  const { namespace } = ctx.info
  const connector = registry.connector(kind.group, kind.plural, "")
  if (connector?.create) {
    plainOnly(form)
    if (kind.namespaced) obj.metadata.namespace ??= namespace
    trackUpdate(kind, undefined, obj, request.fieldManager, "", call.env.clock.now())
    const ref = { namespace, name: obj.metadata.name ?? "" }
    const answer = await connector.create(ref, obj as unknown as Record<string, unknown>, request)
    return answerValue(exchange, 201, form, answer)
  }
  setObjectDefaults(kind, obj, env.clock.now())
  const object = await createObject(storage, namespace, obj, request)
  return answerObject(call, form, 201, object)
}

export async function handleUpdate(call: Call, subresource = "", strategy?: UpdateStrategy): Promise<void> {
  const { exchange, ctx, storage, env } = call
  const { kind } = storage
  const form = answerForm(exchange, ctx.userAgent)
  const { request, fieldValidation } = writeRequest(exchange.query, ctx, "UpdateOptions")
  const obj = await readObject<KubeObject>(exchange, expectedOf(kind), fieldValidation, ctx)
  const { namespace, name } = ctx.info
  checkName(kind, obj, namespace, name)
  setObjectDefaults(kind, obj, env.clock.now())
  const written = await updateObject(storage, { namespace, name }, request, {
    subresource,
    checkUid: true,
    next: putting(obj),
    ...(strategy ? { strategy } : {}),
  })
  return answerObject(call, form, written.outcome === "created" ? 201 : 200, written.object)
}

/** 400: the body has no name, as the URL has. */
export function nameMissing(name: string): StatusError {
  return badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`)
}

/** The name in the body is that of the URL. */
export function checkName(kind: Kind, obj: Readonly<KubeObject>, namespace: string, name: string): void {
  const own = obj.metadata.name ?? ""
  if (own === "") {
    throw nameMissing(name)
  }
  if (own !== name) {
    throw badRequest(`the name of the object (${own}) does not match the name on the URL (${name})`)
  }
  const ownNamespace = obj.metadata.namespace ?? ""
  if (kind.namespaced && ownNamespace !== "" && ownNamespace !== namespace) {
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request")
  }
}

const patchTypes: Readonly<Record<string, PatchType>> = tableOf({
  "application/json-patch+json": "json",
  "application/merge-patch+json": "merge",
  "application/strategic-merge-patch+json": "strategic",
  "application/apply-patch+yaml": "apply",
})

/** The kind of a patch, from its content type. Throws 415. */
export function patchTypeOf(call: Call): PatchType {
  const type = patchTypes[contentType(call.exchange)]
  const custom = !call.storage.kind.schema.name
  if (!type) {
    // What Go's router says before the request comes to the handler.
    throw statusErrorFrom({
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: "415: Unsupported Media Type",
      reason: "UnsupportedMediaType",
      details: {},
      code: 415,
    })
  }
  if (type === "strategic" && custom) {
    throw unsupportedMediaType(Object.keys(patchTypes).filter((name) => patchTypes[name] !== "strategic"))
  }
  return type
}

export async function handlePatch(call: Call, subresource = "", strategy?: UpdateStrategy): Promise<void> {
  const { exchange, ctx, storage } = call
  const form = answerForm(exchange, ctx.userAgent)
  const type = patchTypeOf(call)
  const { request, fieldValidation, force } = writeRequest(
    exchange.query,
    ctx,
    "PatchOptions",
    type === "apply",
  )
  const { value, strictErrors } = await readPatch(exchange, type === "apply", ctx.signal)
  const { namespace, name } = ctx.info
  const written = await patchObject(
    storage,
    { namespace, name },
    {
      type,
      body: value,
      strictErrors,
      fieldValidation,
      force: force ?? false,
      subresource,
      ...(strategy ? { strategy } : {}),
    },
    request,
  )
  return answerObject(call, form, written.outcome === "created" ? 201 : 200, written.object)
}
