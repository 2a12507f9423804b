/** Documents of other servers, as long as they may be. */
import type { HttpResponse } from "@knarr/client"

/** A document, whatever its status. */
export interface Document {
  readonly status: number
  readonly headers: HttpResponse["headers"]
  readonly body: Buffer
}

/** Asks a server for a document. Rejects when it is late, or longer than `maxBytes`. */
export type Get = (
  path: string,
  headers: Readonly<Record<string, string>>,
  maxBytes: number,
) => Promise<Document>

/** The whole of an answer. Rejects, and breaks the request off, past `maxBytes`. */
export async function readBounded(
  { status, headers, body }: HttpResponse,
  maxBytes: number,
): Promise<Document> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > maxBytes) throw new Error(`the answer is longer than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return { status, headers, body: Buffer.concat(chunks, bytes) }
}
