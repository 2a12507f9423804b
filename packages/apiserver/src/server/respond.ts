/** Answers that are not stored objects: plain text, JSON documents and failures. */
import { badRequest, internalError, StatusError } from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import type { Exchange } from "../contract.ts"
import { statusType, typeOf } from "../encoding/encoding.ts"
import { builtInEncodings, type Encodings, forReader } from "../encoding/encodings.ts"
import { json } from "../encoding/json.ts"

/** A JSON document. */
export function respondJson(exchange: Exchange, status: number, value: object): void {
  const encoding = forReader(json, exchange)
  exchange.respond(status, encoding.mediaType, encoding.document(value, typeOf(value)))
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

/** Answers with the `Status` of a failure, in the encoding that the client takes. */
export function respondError(
  exchange: Exchange,
  thrown: unknown,
  encodings: Encodings = builtInEncodings,
): void {
  const { status } = toStatusError(thrown)
  const retryAfter = status.details?.retryAfterSeconds
  if (retryAfter !== undefined) exchange.setHeader("Retry-After", String(retryAfter))
  exchange.audit?.response(status)
  const encoding = encodings.ofFailure(exchange)
  exchange.respond(status.code ?? 500, encoding.mediaType, encoding.document(status, statusType))
}
