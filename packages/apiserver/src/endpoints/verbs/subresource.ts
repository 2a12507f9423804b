/** Subresources: those of the kind itself, `scale`, binding and eviction, and what other parts of the server connect. */
import {
  applyConfig,
  decodeObject,
  type KubeObject,
  type ManagedFieldsContext,
  pathNotFound,
  type Schema,
  schemaOf,
  type Subresource,
} from "@knarr/apimachinery"
import { createdStatus } from "../../registry/answers.ts"
import { applyPatch, decodePatched, tellDuplicates } from "../../registry/patch.ts"
import { type Binding, bindPod } from "../../registry/subresources/binding.ts"
import { type Eviction, evictPod } from "../../registry/subresources/eviction.ts"
import { strategyOf } from "../../registry/subresources/index.ts"
import { type Scale, scaleOf, updateScale } from "../../registry/subresources/scale.ts"
import { methodNotAllowed } from "../../server/refusals.ts"
import type { Call } from "./call.ts"
import { answerBytes, answerValue } from "./answer.ts"
import { type Expected, readObject, readPatch } from "./body.ts"
import { answerForm, plainOnly } from "./negotiation.ts"
import { writeRequest } from "./options.ts"
import { handlePatch, handleUpdate, nameMissing, patchTypeOf } from "./write.ts"

export async function handleSubresource(call: Call): Promise<void> {
  const { exchange, ctx, registry, storage } = call
  const { kind } = storage
  const { verb, subresource, namespace, name } = ctx.info
  const declared = kind.subresources.get(subresource)
  if (!declared) throw pathNotFound()
  if (!declared.verbs.includes(verb as never)) throw methodNotAllowed()
  const connector = registry.connector(kind.group, kind.plural, subresource)
  if (connector) {
    const form = answerForm(exchange, ctx.userAgent)
    plainOnly(form)
    const ref = { namespace, name }
    const { request, fieldValidation } = writeRequest(exchange.query, ctx, "CreateOptions")
    if (verb === "get" && connector.get)
      return answerValue(exchange, 200, form, await connector.get(ref, request))
    if (verb !== "create" || !connector.create) throw methodNotAllowed()
    const body = await readObject(exchange, expectedBySubresource(declared), fieldValidation, ctx)
    const answer = await connector.create(ref, body as unknown as Record<string, unknown>, request)
    return answerValue(exchange, 201, form, answer)
  }
  if (subresource === "scale") return handleScale(call, declared)
  if (subresource === "binding" || subresource === "eviction") return handlePodPost(call, declared)
  const strategy = strategyOf(kind, subresource)
  if (!strategy) throw pathNotFound()
  switch (verb) {
    case "get": {
      const form = answerForm(exchange, ctx.userAgent)
      const version = exchange.query.get("resourceVersion") ?? ""
      const object = await storage.get({ namespace, name }, version, ctx.signal)
      return answerBytes(exchange, 200, form, storage.view.bytes(object))
    }
    case "update":
      return handleUpdate(call, subresource, strategy)
    case "patch":
      return handlePatch(call, subresource, strategy)
    default:
      throw methodNotAllowed()
  }
}

const anything: Schema = { type: "any", preserveUnknown: true }

/** The shape of what a subresource takes. */
export function expectedBySubresource({ kind }: Subresource): Expected {
  const { group, version, kind: name } = kind!
  const short = group === "" ? "core" : group.split(".")[0]!
  let schema: Schema
  try {
    schema = schemaOf(`io.k8s.api.${short}.${version}.${name}`)
  } catch {
    schema = anything
  }
  return { group, version, kind: name, schema }
}

async function handleScale(call: Call, declared: Subresource): Promise<void> {
  const { exchange, ctx, storage } = call
  const { verb, namespace, name } = ctx.info
  const ref = { namespace, name }
  const form = answerForm(exchange, ctx.userAgent)
  const expected = expectedBySubresource(declared)
  if (verb === "get") {
    const version = exchange.query.get("resourceVersion") ?? ""
    return answerValue(exchange, 200, form, scaleOf(storage, await storage.get(ref, version, ctx.signal)))
  }
  if (verb === "update") {
    const { request, fieldValidation } = writeRequest(exchange.query, ctx, "UpdateOptions")
    const scale = await readObject<Scale>(exchange, expected, fieldValidation, ctx)
    if (!scale.metadata.name) throw nameMissing(name)
    scale.spec ??= {}
    return answerValue(exchange, 200, form, await updateScale(storage, ref, request, () => scale))
  }
  const type = patchTypeOf(call)
  const apply = type === "apply"
  const { request, fieldValidation, force } = writeRequest(exchange.query, ctx, "PatchOptions", apply)
  const { value, strictErrors } = await readPatch(exchange, apply, ctx.signal)
  const patch = { type, body: value, strictErrors, fieldValidation }
  if (apply) {
    const applyTo = (present: Scale, context: ManagedFieldsContext): Scale => {
      const { object } = applyConfig(context, present, value as object, request.fieldManager, force ?? false)
      return decodeObject<Scale>(expected.schema, object).object
    }
    const answer = await updateScale(storage, ref, request, applyTo, true)
    tellDuplicates(patch, request.warnings)
    return answerValue(exchange, 200, form, answer)
  }
  const answer = await updateScale(storage, ref, request, (present) =>
    decodePatched<Scale>(
      expected.schema,
      applyPatch(expected.schema, present, patch),
      patch,
      request.warnings,
    ),
  )
  return answerValue(exchange, 200, form, answer)
}

async function handlePodPost(call: Call, declared: Subresource): Promise<void> {
  const { exchange, ctx, registry, storage } = call
  const { namespace, name, subresource } = ctx.info
  const form = answerForm(exchange, ctx.userAgent)
  const { request, fieldValidation } = writeRequest(exchange.query, ctx, "CreateOptions")
  const body = await readObject<KubeObject>(exchange, expectedBySubresource(declared), fieldValidation, ctx)
  const ref = { namespace, name }
  if (subresource === "binding") await bindPod(storage, ref, body as Binding, request)
  else {
    const budgets = registry.find("policy", "v1", "poddisruptionbudgets")
    await evictPod(storage, budgets, ref, body as Eviction, request)
  }
  return answerValue(exchange, 201, form, createdStatus)
}
