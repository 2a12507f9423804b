/**
 * POST, PUT and PATCH of a resource or a subresource: what is sent is read, the registry's verb called, its answer
 * encoded. Mirrors: apiserver pkg/endpoints/handlers/{create,update,patch}.go
 */
import {
  applySchemaDefaults,
  type KubeObject,
  settleEmpties,
  sortKeys,
  statusErrorFrom,
  unsupportedMediaType,
} from "@knarr/apimachinery"
import type { RequestContext } from "../../contract.ts"
import { setObjectDefaults } from "../../registry/defaults.ts"
import { checkPatchType, type PatchType, patchTypeOf } from "../../registry/patch.ts"
import type { Answer } from "../../registry/verbs/handler.ts"
import { type Shape, shapeOf } from "../../registry/verbs/shape.ts"
import { typeOf } from "../../encoding/encoding.ts"
import { answerDocument } from "./answer.ts"
import { contentType, readObject, readPatch } from "./body.ts"
import type { Call } from "./call.ts"
import { answerForm, checkOne, checkOneScale, plainOnly, type AnswerForm } from "./negotiation.ts"
import { writeRequest } from "./options.ts"
import { metadataOfValue, presentationOf, tableOfValue } from "./presentation.ts"

/** Sends what a verb of the registry answers. */
export function sendAnswer(call: Call, form: AnswerForm, answer: Answer): Promise<void> {
  const { exchange, storage, env, columns } = call
  const { code, object } = answer
  if (!object) {
    const value = settled(call, answer.value)
    if (form.as === "" || !isScale(value))
      return answerDocument(exchange, code, form.encoding, value, typeOf(value))
    checkOneScale(form, storage.kind)
    const { content, type } =
      form.as === "Table"
        ? tableOfValue(value, form.version, exchange.query, env.clock.now(), columns.ofScale(storage.kind))
        : metadataOfValue(value, form.version)
    return answerDocument(exchange, code, form.encoding, content, type)
  }
  checkOne(form, storage.kind)
  if (form.as === "")
    return answerDocument(exchange, code, form.encoding, storage.view.bytes(object), storage.kind)
  const shown = presentationOf(storage.view, form, exchange.query, () => env.clock.now(), columns)
  return answerDocument(exchange, code, form.encoding, shown.one(object), shown.type)
}

/** What was never stored is shown as if it had been. */
function settled({ storage, ctx }: Call, value: object): object {
  const { kind, schema } = shapeOf(storage.kind, ctx.info.subresource)
  return typeOf(value).kind === kind ? settleEmpties(schema, value) : value
}

function isScale(value: object): value is KubeObject {
  return typeOf(value).kind === "Scale"
}

/** The form in which one object is answered. Throws 406. */
export function formOf({ exchange, encodings, storage }: Call, plain = false): AnswerForm {
  const form = answerForm(exchange, encodings, storage.kind)
  if (plain) plainOnly(form, encodings)
  return form
}

export async function handleCreate(call: Call): Promise<void> {
  const { exchange, ctx, storage } = call
  const { subresource } = ctx.info
  const handler = call.handlers.of(storage.kind, subresource, "create")
  const form = formOf(call, handler.plain)
  const { request, fieldValidation } = writeRequest(exchange.query, ctx, "CreateOptions")
  const shape = shapeOf(storage.kind, subresource)
  const body = await readObject<KubeObject>(exchange, shape, fieldValidation, ctx)
  if (ctx.audit) recordBody(ctx.audit, call, shape, body)
  return sendAnswer(call, form, await handler.create(call.target, body, request))
}

export async function handleUpdate(call: Call): Promise<void> {
  const { exchange, ctx, storage } = call
  const { subresource } = ctx.info
  const handler = call.handlers.of(storage.kind, subresource, "update")
  const form = formOf(call, handler.plain)
  const { request, fieldValidation } = writeRequest(exchange.query, ctx, "UpdateOptions")
  const shape = shapeOf(storage.kind, subresource)
  const body = await readObject<KubeObject>(exchange, shape, fieldValidation, ctx)
  if (ctx.audit) recordBody(ctx.audit, call, shape, body)
  return sendAnswer(call, form, await handler.update(call.target, body, request))
}

export async function handlePatch(call: Call): Promise<void> {
  const { exchange, ctx, storage } = call
  const handler = call.handlers.of(storage.kind, ctx.info.subresource, "patch")
  const form = formOf(call, handler.plain)
  const type = patchTypeIn(call)
  const apply = type === "apply"
  const { request, fieldValidation, force = false } = writeRequest(exchange.query, ctx, "PatchOptions", apply)
  const { value, strictErrors } = await readPatch(exchange, type, ctx)
  ctx.audit?.request(apply ? sortKeys(value) : value)
  const patch = { type, body: value, strictErrors, fieldValidation, force }
  return sendAnswer(call, form, await handler.patch(call.target, patch, request))
}

/** Of custom resources, which cannot be merged by their schema. */
const customPatches = [
  "application/json-patch+json",
  "application/merge-patch+json",
  "application/apply-patch+yaml",
]

/** A body as it is recorded: with its defaults, and before anything else is done to it. */
function recordBody(
  audit: NonNullable<RequestContext["audit"]>,
  { storage, env }: Call,
  shape: Shape,
  body: KubeObject,
): void {
  audit.refer(body)
  if (!audit.takesRequest) return
  const copy = structuredClone(body)
  if (shape.schema === storage.kind.schema) setObjectDefaults(storage.kind, copy, env.clock.now())
  else applySchemaDefaults(shape.schema, copy)
  const { kind, apiVersion, metadata, ...rest } = copy
  audit.request({ kind, apiVersion, metadata, ...rest })
}

/** The kind of a patch, from its content type. Throws 415. */
function patchTypeIn({ exchange, storage }: Call): PatchType {
  const type = patchTypeOf(contentType(exchange))
  if (!type) {
    if (storage.kind.rules === "structural") throw unsupportedMediaType(customPatches)
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
  checkPatchType(storage.kind, type)
  return type
}
