/** Sends documents, compressed where that is worth it. */
import { gzip } from "node:zlib"
import { promisify } from "node:util"
import type { Exchange } from "../../contract.ts"
import type { Content, DocumentType, Encoding } from "../../encoding/encoding.ts"

const compress = promisify(gzip)

/** Answers shorter than this are sent as they are. */
export const gzipThreshold = 128 * 1024

export function takesGzip(exchange: Exchange): boolean {
  const header = exchange.headers["accept-encoding"]
  return typeof header === "string" && /(^|[,\s])gzip\s*(,|;(?!\s*q=0(\.0*)?\s*(,|$))|$)/.test(header)
}

/** Answers with one document. */
export async function answerDocument(
  exchange: Exchange,
  status: number,
  encoding: Encoding,
  content: Content,
  type: DocumentType,
): Promise<void> {
  exchange.audit?.response(content)
  const bytes = encoding.document(content, type)
  if (bytes.length <= gzipThreshold || !takesGzip(exchange)) {
    exchange.respond(status, encoding.mediaType, bytes)
    return
  }
  exchange.setHeader("Content-Encoding", "gzip")
  exchange.setHeader("Vary", "Accept-Encoding")
  exchange.respond(status, encoding.mediaType, await compress(bytes, { level: 1 }))
}
