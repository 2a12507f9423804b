/** What proxies have in common: the request as it goes on, and the answer's body as it comes back. */
import type { ResponseStream } from "../../contract.ts"
import type { ServerExchange } from "../../server/exchange.ts"
import { endToEnd, withoutCredentials } from "./headers.ts"

const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"])

/** Methods that do no harm when they arrive twice. */
export function isSafe(method: string): boolean {
  return safeMethods.has(method)
}

/** Whether something may follow the request's head. */
export function hasBody({ headers, method }: ServerExchange): boolean {
  const length = headers["content-length"]
  if (length !== undefined) return Number(length) !== 0
  return headers["transfer-encoding"] !== undefined || !isSafe(method)
}

/** What a back end says about pages of its own origin means nothing behind a proxy. */
export const crossOrigin = /^access-control-allow-(credentials|headers|methods|origin)$/

/** The client's headers, without its credentials and what concerns only its own connection; with the host that it named. */
export function forwardedHeaders(exchange: ServerExchange): Record<string, string | string[]> {
  const out = withoutCredentials(endToEnd(exchange.headers))
  out["host"] = exchange.header("host") || exchange.header(":authority")
  const from = exchange.socket?.remoteAddress
  if (from)
    out["x-forwarded-for"] = out["x-forwarded-for"] ? `${String(out["x-forwarded-for"])}, ${from}` : from
  return out
}

/** Passes a body on as it comes, as fast as the client takes it. One that breaks off breaks the answer off. */
export async function copyBody(
  body: AsyncIterable<unknown>,
  out: ResponseStream,
  signal: AbortSignal,
): Promise<void> {
  try {
    for await (const chunk of body) if (!out.write(chunk as Buffer)) await out.drained(signal)
    out.end()
  } catch {
    // The client sees that the answer is not whole.
    out.abort()
  }
}
