/** Sends objects: bytes as they are where that is possible. */
import { gzip } from "node:zlib"
import { promisify } from "node:util"
import { stringifyYaml } from "@knarr/apimachinery"
import type { Exchange } from "../../contract.ts"
import type { AnswerForm } from "./negotiation.ts"

const compress = promisify(gzip)

/** Answers shorter than this are sent as they are. */
export const gzipThreshold = 128 * 1024

export function takesGzip(exchange: Exchange): boolean {
  const header = exchange.headers["accept-encoding"]
  return typeof header === "string" && /(^|[,\s])gzip\s*(,|;(?!\s*q=0(\.0*)?\s*(,|$))|$)/.test(header)
}

/** Answers with bytes of JSON, in the form that is wanted. */
export async function answerBytes(
  exchange: Exchange,
  status: number,
  form: AnswerForm,
  bytes: Buffer,
): Promise<void> {
  if (form.yaml || form.pretty) return answerValue(exchange, status, form, JSON.parse(bytes.toString()))
  return send(exchange, status, "application/json", bytes)
}

/** Answers with a value. */
export async function answerValue(
  exchange: Exchange,
  status: number,
  form: AnswerForm,
  value: unknown,
): Promise<void> {
  if (form.yaml) return send(exchange, status, "application/yaml", Buffer.from(stringifyYaml(value)))
  const text = form.pretty ? JSON.stringify(value, null, 2) : JSON.stringify(value) + "\n"
  return send(exchange, status, "application/json", Buffer.from(text))
}

async function send(exchange: Exchange, status: number, type: string, bytes: Buffer): Promise<void> {
  if (bytes.length <= gzipThreshold || !takesGzip(exchange)) {
    exchange.respond(status, type, bytes)
    return
  }
  exchange.setHeader("Content-Encoding", "gzip")
  exchange.setHeader("Vary", "Accept-Encoding")
  exchange.respond(status, type, await compress(bytes, { level: 1 }))
}
