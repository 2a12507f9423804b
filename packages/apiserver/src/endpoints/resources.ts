/**
 * Answers requests about resources: reads the request, calls the registry, sends the answer in the form that
 * the client wants. Failures are thrown as StatusErrors; the server's filters send them.
 * Mirrors: apiserver pkg/endpoints/handlers
 */
import { pathNotFound } from "@knarr/apimachinery"
import type { Exchange, RequestContext } from "../contract.ts"
import { builtInEncodings, type Encodings } from "../encoding/encodings.ts"
import type { Registry } from "../registry/registry.ts"
import { listObjects } from "../registry/list.ts"
import { prepareWatch } from "../registry/watch.ts"
import { methodNotAllowed } from "../server/refusals.ts"
import type { Call } from "./verbs/call.ts"
import { handleDelete, handleDeleteCollection } from "./verbs/delete.ts"
import { sendList } from "./verbs/list-stream.ts"
import { answerForm, checkMany } from "./verbs/negotiation.ts"
import { listQuery } from "./verbs/options.ts"
import { presentationOf } from "./verbs/presentation.ts"
import { TableColumns } from "./verbs/table-columns.ts"
import { WatchMetrics } from "./verbs/watch-metrics.ts"
import { WatchStream } from "./verbs/watch-stream.ts"
import { formOf, handleCreate, handlePatch, handleUpdate, sendAnswer } from "./verbs/write.ts"

/** How long the reader of a watch that has ended may take for its last bytes. */
const lastBytesMs = 10_000

export type ResourceHandler = (exchange: Exchange, ctx: RequestContext) => Promise<void>

/**
 * The handler of all requests about resources that the registry serves. Rejects with a StatusError to refuse.
 * `columns`: with the texts of tables. `encodings`: of answers.
 */
export function createResourceHandler(
  registry: Registry,
  columns: TableColumns = new TableColumns(),
  encodings: Encodings = builtInEncodings,
): ResourceHandler {
  const watches = new WatchMetrics(registry.env.meter)
  return async (exchange, ctx) => {
    const { info } = ctx
    const storage = registry.find(info.apiGroup, info.apiVersion, info.resource)
    if (!storage) throw pathNotFound()
    const { kind } = storage
    if (kind.deprecation) tellDeprecation(ctx, kind.deprecation)
    const { handlers, env } = registry
    const target = { storage, ref: { namespace: info.namespace, name: info.name }, storages: registry }
    const call: Call = { exchange, ctx, handlers, storage, target, columns, encodings, env }
    switch (info.verb) {
      case "get":
        return handleGet(call)
      case "create":
        return handleCreate(call)
      case "update":
        return handleUpdate(call)
      case "patch":
        return handlePatch(call)
    }
    if (info.subresource !== "") throw methodNotAllowed()
    switch (info.verb) {
      case "list":
        return handleList(call)
      case "watch":
        return handleWatch(call, watches)
      case "delete":
        return handleDelete(call)
      case "deletecollection":
        return handleDeleteCollection(call)
      default:
        throw methodNotAllowed()
    }
  }
}

/** Mirrors: apiserver pkg/endpoints/metrics/metrics.go InstrumentRouteFunc (what audit is told of it) */
function tellDeprecation({ warnings, audit }: RequestContext, text: string): void {
  warnings.push(text)
  if (!audit) return
  audit.annotate("k8s.io/deprecated", "true")
  const removed = /unavailable in v([\d.]+)\+/.exec(text)?.[1]
  if (removed !== undefined) audit.annotate("k8s.io/removed-release", removed)
}

async function handleGet(call: Call): Promise<void> {
  const { exchange, ctx, storage, target } = call
  const handler = call.handlers.of(storage.kind, ctx.info.subresource, "get")
  const form = formOf(call, handler.plain)
  const resourceVersion = exchange.query.get("resourceVersion") ?? ""
  return sendAnswer(call, form, await handler.get(target, { resourceVersion, signal: ctx.signal }))
}

async function handleList({ exchange, ctx, storage, env, columns, encodings }: Call): Promise<void> {
  const form = answerForm(exchange, encodings, storage.kind, "list")
  const { query } = exchange
  const shown = presentationOf(storage.view, form, query, () => env.clock.now(), columns)
  const { namespace, name } = ctx.info
  const result = await listObjects(storage, listQuery(query, namespace, name), ctx.signal)
  checkMany(form, storage.kind)
  return sendList(exchange, form.encoding, storage.view, shown, result)
}

async function handleWatch(
  { exchange, ctx, storage, env, columns, encodings }: Call,
  metrics: WatchMetrics,
): Promise<void> {
  const counts = metrics.begin(ctx.info, env.clock)
  const form = answerForm(exchange, encodings, storage.kind, "watch")
  const encoding = form.encoding.watch!
  const { query } = exchange
  const shown = presentationOf(storage.view, form, query, () => env.clock.now(), columns)
  const { namespace, name } = ctx.info
  const watch = await prepareWatch(storage, listQuery(query, namespace, name), ctx.signal)
  const stream = exchange.stream(200, encoding.mediaType)
  // No event is a list: there is nothing to be told.
  if (form.as === "PartialObjectMetadataList") return stream.end()
  await watch.run(new WatchStream(stream, { encoding, shown }, ctx.signal, counts), ctx.signal)
  // A reader that takes nothing any more must not hold what it was sent.
  using _late = env.clock.timer(lastBytesMs, () => stream.abort())
  try {
    await stream.drained(ctx.signal)
  } catch {
    // The client is gone, or the server stops: what there is to send ends with the connection.
  }
  stream.end()
}
