/** When a request is sent again. Mirrors: client-go rest/with_retry.go, request.go */
import type { Clock } from "@knarr/base"
import type { HttpRequest } from "./http-exchange.ts"
import { ConnectionError } from "./transport.ts"

const maxRetries = 10
/** Between a lost connection and the next try of a GET, as upstream. */
const lostPauseMs = 1000
const lostCodes: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE"])
const never = new AbortController().signal

/** An answer outside 2xx, with what of its head tells whether to ask again. */
export class Refusal extends Error {
  /** What the caller gets. */
  readonly error: Error
  readonly status: number
  readonly retryAfter: string | undefined

  constructor(error: Error, status: number, retryAfter: string | undefined) {
    super(error.message)
    this.error = error
    this.status = status
    this.retryAfter = retryAfter
  }
}

/**
 * Calls `fn` again when the server says after how long (429 and 5xx with `Retry-After`), and for a GET whose
 * connection was lost: ten times at the most. Rejects with the error of the last refusal, or with what else was thrown.
 */
export async function retried<R>(
  clock: Clock,
  request: HttpRequest,
  fn: (signal: AbortSignal) => Promise<R>,
): Promise<R> {
  const signal = request.signal ?? never
  for (let attempt = 0; ; attempt++) {
    try {
      return await fn(signal)
    } catch (thrown) {
      const waitMs = signal.aborted || attempt === maxRetries ? undefined : waitBeforeRetryMs(request, thrown)
      if (waitMs === undefined) throw thrown instanceof Refusal ? thrown.error : thrown
      await clock.sleep(waitMs, signal)
    }
  }
}

function waitBeforeRetryMs({ method, path }: HttpRequest, thrown: unknown): number | undefined {
  if (thrown instanceof Refusal) {
    const { status, retryAfter = "" } = thrown
    return (status === 429 || status >= 500) && /^\d+$/.test(retryAfter)
      ? Number(retryAfter) * 1000
      : undefined
  }
  // Who watches begins again by itself.
  const isWatch = /[?&]watch=true(&|$)/.test(path)
  const isLost = thrown instanceof ConnectionError && lostCodes.has(thrown.code ?? "")
  return isLost && method === "GET" && !isWatch ? lostPauseMs : undefined
}
