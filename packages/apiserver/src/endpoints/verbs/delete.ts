/** DELETE of an object and of a collection. Mirrors: apiserver pkg/endpoints/handlers/delete.go */
import {
  badRequest,
  decodeObject,
  DecodeError,
  decodeProtobuf,
  invalid,
  openProtobufEnvelope,
  schemaOf,
  unsupportedMediaType,
} from "@knarr/apimachinery"
import { messageOf, parseJson } from "@knarr/base"
import { unregistered } from "../../registry/known-types.ts"
import type { DeletionOptions, WriteRequest } from "../../registry/request.ts"
import { removeCollection, removeObject } from "../../registry/verbs/remove.ts"
import type { Call } from "./call.ts"
import { mediaTypes, protobufType } from "../../server/accept.ts"
import { contentType } from "./body.ts"
import { sendList } from "./list-stream.ts"
import { answerForm } from "./negotiation.ts"
import { deletionOptions, listQuery, validateDryRun, writeRequest } from "./options.ts"
import { presentationOf } from "./presentation.ts"
import { formOf, sendAnswer } from "./write.ts"
import { parseYamlBody } from "./yaml-body.ts"

interface Options extends DeletionOptions {
  kind?: string
  apiVersion?: string
  dryRun?: string[]
}

async function readOptions(call: Call): Promise<{ options: DeletionOptions; request: WriteRequest }> {
  const { exchange, ctx } = call
  const { request } = writeRequest(exchange.query, ctx, "DeleteOptions")
  const body = await exchange.body()
  if (body.length === 0)
    return { options: deletionOptions(exchange.query), request: withOptions(request, {}) }
  let value: unknown
  const type = contentType(exchange)
  if (!mediaTypes.includes(type)) throw unsupportedMediaType(mediaTypes)
  try {
    const schema = schemaOf("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions")
    if (type === protobufType) value = decodeProtobuf(schema, openProtobufEnvelope(body).raw)
    else if (type === "application/yaml") value = await parseYamlBody(body.toString(), ctx)
    else value = parseJson(body.toString())
    value = decodeObject<Options>(schema, value ?? {}).object
  } catch (thrown) {
    ctx.signal.throwIfAborted()
    if (thrown instanceof SyntaxError)
      throw badRequest(`couldn't get version/kind; json parse error: ${thrown.message}`)
    if (thrown instanceof DecodeError || thrown instanceof Error) throw badRequest(messageOf(thrown))
    throw thrown
  }
  const sent = value as Options
  if (sent.kind && sent.kind !== "DeleteOptions") {
    throw badRequest(unregistered({ kind: sent.kind, apiVersion: sent.apiVersion ?? "" }))
  }
  ctx.audit?.request({ ...sent, kind: "DeleteOptions", apiVersion: "meta.k8s.io/__internal" })
  const { dryRun = [], ...options } = sent
  const errors = validateDryRun(dryRun)
  if (errors.length > 0) throw invalid({ group: "meta.k8s.io", kind: "DeleteOptions" }, "", errors)
  return { options, request: withOptions({ ...request, dryRun: dryRun.length > 0 }, sent) }
}

function withOptions(request: WriteRequest, sent: object): WriteRequest {
  return {
    ...request,
    options: { ...request.options, ...sent, kind: "DeleteOptions", apiVersion: "meta.k8s.io/v1" },
  }
}

export async function handleDelete(call: Call): Promise<void> {
  const form = formOf(call)
  const { options, request } = await readOptions(call)
  return sendAnswer(call, form, await removeObject(call.target, options, request))
}

export async function handleDeleteCollection(call: Call): Promise<void> {
  const { exchange, ctx, storage, env, columns } = call
  const form = answerForm(exchange, call.encodings, storage.kind)
  const { options, request } = await readOptions(call)
  const query = listQuery(exchange.query, ctx.info.namespace, "")
  const result = await removeCollection(storage, query, options, request)
  const shown = presentationOf(storage.view, form, exchange.query, () => env.clock.now(), columns)
  return sendList(exchange, form.encoding, storage.view, shown, result)
}
