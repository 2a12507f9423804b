/** `pods/log`: the kubelet's answer, passed on as it comes. Mirrors: pkg/registry/core/pod/strategy.go LogLocation */
import type { IncomingMessage } from "node:http"
import { badRequest, goTimeError, invalid, parseTime, type FieldError } from "@knarr/apimachinery"
import type { RequestContext } from "../../contract.ts"
import type { Handler } from "../../server/filters.ts"
import type { Registry } from "../../registry/registry.ts"
import { answerError, readText, type KubeletClient } from "./kubelet.ts"
import { requireHandshake, sendOverWebSocket } from "./websocket.ts"
import { flag, requireContainer, requirePod } from "./pod-target.ts"

/** The kubelet's answer; undefined for a pod that has no node yet. Throws what it refuses. */
async function openLog(
  registry: Registry,
  kubelet: KubeletClient,
  query: URLSearchParams,
  ctx: RequestContext,
): Promise<IncomingMessage | undefined> {
  const { namespace, name } = ctx.info
  const params = logParams(query, name)
  const target = requirePod(registry, namespace, name)
  const container = requireContainer(target, query.get("container") ?? "")
  if (!target.spec.nodeName) return undefined
  const at = kubelet.locate(target.spec.nodeName)
  const text = params.toString()
  const path = `/containerLogs/${namespace}/${name}/${container}${text === "" ? "" : `?${text}`}`
  const response = await kubelet.get(at, path, ctx.signal)
  const status = response.statusCode ?? 500
  if (status < 200 || status > 206) throw answerError(status, await readText(response), "pods/log", name)
  return response
}

export function logHandler(registry: Registry, kubelet: KubeletClient): Handler {
  return async (exchange, ctx) => {
    const { upgrade } = exchange
    if (upgrade) requireHandshake(upgrade)
    const response = await openLog(registry, kubelet, exchange.query, ctx)
    if (upgrade) return sendOverWebSocket(exchange, upgrade, response, ctx.signal)
    if (!response) return exchange.respond(200, "text/plain", "")
    const out = exchange.stream(200, "text/plain")
    try {
      for await (const chunk of response) {
        if (!out.write(chunk as Buffer)) await out.drained(ctx.signal)
      }
      out.end()
    } catch (thrown) {
      out.abort()
      if (!ctx.signal.aborted) throw thrown
    } finally {
      response.destroy()
    }
  }
}

function logParams(query: URLSearchParams, name: string): URLSearchParams {
  const params = new URLSearchParams()
  const errors: FieldError[] = []
  for (const name of ["follow", "previous", "timestamps"]) if (flag(query, name)) params.set(name, "true")
  const number = (field: string, least: number, text: string): void => {
    const value = query.get(field)
    if (value === null || value === "") return
    const n = Number(value)
    if (!Number.isInteger(n) || n < least)
      errors.push({ type: "FieldValueInvalid", field, value: Number.isNaN(n) ? value : n, detail: text })
    params.set(field, value)
  }
  number("tailLines", 0, "must be greater than or equal to 0")
  number("limitBytes", 1, "must be greater than 0")
  number("sinceSeconds", 1, "must be greater than 0")
  const since = query.get("sinceTime")
  if (since) {
    if (Number.isNaN(parseTime(since))) throw badRequest(goTimeError(since, "2006-01-02T15:04:05Z07:00"))
    if (query.get("sinceSeconds"))
      errors.push({
        type: "FieldValueForbidden",
        field: "[]",
        value: "",
        detail: "at most one of `sinceTime` or `sinceSeconds` may be specified",
      })
    params.set("sinceTime", since)
  }
  // Standard output and error apart are no part of the release, unless its gate is opened.
  if (query.has("stream"))
    errors.push({ type: "FieldValueForbidden", field: "stream", value: "", detail: "may not be specified" })
  if (errors.length > 0) throw invalid({ group: "", kind: "PodLogOptions" }, name, errors)
  return params
}
