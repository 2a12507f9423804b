/** Answers that are not stored objects: plain text, JSON documents and failures. */
import { badRequest, internalError, StatusError, stringifyYaml, type Status } from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import type { Exchange } from "../contract.ts"
import { wantsYaml } from "./accept.ts"

const json = "application/json"

/** Browsers and command-line tools get indented JSON, as does `?pretty=true`. */
export function wantsPretty(exchange: Exchange): boolean {
  const asked = exchange.query.get("pretty")
  if (asked !== null) return asked !== "false" && asked !== "0"
  const agent = exchange.headers["user-agent"]
  return typeof agent === "string" && /^(curl|Wget|Mozilla\/5\.0)/.test(agent)
}

/** A JSON document. */
export function respondJson(exchange: Exchange, status: number, value: unknown): void {
  exchange.respond(status, json, JSON.stringify(value, undefined, wantsPretty(exchange) ? 2 : undefined))
}

export function respondText(exchange: Exchange, status: number, text: string): void {
  exchange.setHeader("X-Content-Type-Options", "nosniff")
  exchange.respond(status, "text/plain; charset=utf-8", text)
}

/** What Go's mux says to an unknown path. */
export function respondNotFound(exchange: Exchange): void {
  respondText(exchange, 404, "404 page not found\n")
}

const markup: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" }

/** What a client is told when a filter fails. */
export function respondFilterFailure(exchange: Exchange, uri: string, failure: Error): void {
  const text = `Internal Server Error: ${JSON.stringify(uri)}: ${failure.message}`
  respondText(exchange, 500, `${text.replace(/[&<>]/g, (sign) => markup[sign]!)}\n`)
}

/** The StatusError that `thrown` stands for; what is none becomes a 500. */
export function toStatusError(thrown: unknown): StatusError {
  // The stack is only as high as it is: a value that goes deeper, or holds more at once, is the client's.
  if (thrown instanceof RangeError && thrown.message.startsWith("Maximum call stack"))
    return badRequest("the request is nested too deeply, or holds too many things")
  return thrown instanceof StatusError ? thrown : internalError(messageOf(thrown))
}

/** Answers with the `Status` of a failure. */
export function respondError(exchange: Exchange, thrown: unknown): void {
  const { status } = toStatusError(thrown)
  const retryAfter = status.details?.retryAfterSeconds
  if (retryAfter !== undefined) exchange.setHeader("Retry-After", String(retryAfter))
  respondStatus(exchange, status)
}

function respondStatus(exchange: Exchange, status: Status): void {
  if (wantsYaml(exchange))
    return exchange.respond(status.code ?? 500, "application/yaml", stringifyYaml(status))
  respondJson(exchange, status.code ?? 500, status)
}
