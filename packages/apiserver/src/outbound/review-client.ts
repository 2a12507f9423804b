/**
 * Posts reviews to the program that a kubeconfig names, and tries again what may pass by itself.
 * Mirrors: apiserver pkg/util/webhook/webhook.go
 */
import { asError, type Env, parseJson, withTimeout } from "@knarr/base"
import { statusErrorOf, type Transport } from "@knarr/client"
import { dialText } from "./dial-text.ts"
import { openWebhook, webhookAttempts, webhookBackoff, webhookHeaders } from "./kubeconfig-webhook.ts"
import { readBounded } from "./read-bounded.ts"

const defaultFirstWaitMs = 500
const maxBytes = 3 * 1024 * 1024

export class ReviewClient implements Disposable {
  readonly #transport: Transport
  readonly #path: string
  readonly #env: Pick<Env, "clock" | "random">
  readonly #firstWaitMs: number

  private constructor(
    transport: Transport,
    path: string,
    env: Pick<Env, "clock" | "random">,
    firstWaitMs: number,
  ) {
    this.#transport = transport
    this.#path = path
    this.#env = env
    this.#firstWaitMs = firstWaitMs
  }

  /** `firstWaitMs`: before the second attempt, and longer before each further one. Rejects when the file cannot be read. */
  static async open(
    configFile: string,
    env: Pick<Env, "clock" | "random">,
    firstWaitMs: number = defaultFirstWaitMs,
  ): Promise<ReviewClient> {
    const { transport, path } = await openWebhook(configFile, env)
    return new ReviewClient(transport, path, env, firstWaitMs)
  }

  /** The document that comes back, within `timeoutMs` for all attempts. Rejects in upstream's words. */
  ask(review: object, timeoutMs: number, signal: AbortSignal): Promise<unknown> {
    const { clock } = this.#env
    const what = `Post "${this.#transport.server}"`
    return withTimeout(clock, timeoutMs, what, signal, async (limited) => {
      const backoff = webhookBackoff(this.#firstWaitMs, this.#env)
      for (let attempt = 1; ; attempt++) {
        const { document, failure, mayPass } = await this.#post(review, what, limited)
        if (!failure) return document
        if (!mayPass || attempt === webhookAttempts) throw failure
        await backoff.wait(clock, limited)
      }
    })
  }

  [Symbol.dispose](): void {
    this.#transport[Symbol.dispose]()
  }

  async #post(
    review: object,
    what: string,
    signal: AbortSignal,
  ): Promise<{ document?: unknown; failure?: Error; mayPass?: boolean }> {
    const headers = webhookHeaders
    const request = { method: "POST", path: this.#path, headers, body: JSON.stringify(review), signal }
    try {
      const {
        status,
        body,
        headers: answered,
      } = await readBounded(await this.#transport.request(request), maxBytes)
      if (status >= 200 && status <= 299) return { document: parseJson(body.toString()) as unknown }
      const again = answered["retry-after"]
      const failure = statusErrorOf(request, status, body, again)
      return { failure, mayPass: status === 500 || status === 429 || again !== undefined }
    } catch (thrown) {
      signal.throwIfAborted()
      const error = asError(thrown)
      const isReset = (error as NodeJS.ErrnoException).code === "ECONNRESET"
      return { failure: new Error(`${what}: ${dialText(error)}`, { cause: thrown }), mayPass: isReset }
    }
  }
}
