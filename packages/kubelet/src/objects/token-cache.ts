/**
 * Service account tokens of pods: asked for once, and again when most of their life is over.
 * Mirrors: pkg/kubelet/token/token_manager.go
 */
import type { Pod, TokenRequest } from "@knarr/api"
import { serviceAccount } from "@knarr/api"
import { parseTime } from "@knarr/apimachinery"
import { messageOf, type Env, type Scope } from "@knarr/base"
import type { Client } from "@knarr/client"

export interface TokenCacheOptions {
  readonly env: Env
  readonly scope: Scope
  readonly client: Client
  /** A token of the pod is due to be replaced: the next {@link TokenCache.get} asks for a new one. */
  readonly onDue: (podUid: string) => void
}

interface Token {
  readonly podUid: string
  readonly text: string
  readonly expiresMs: number
  readonly dueMs: number
  timer: Disposable | undefined
}

const maxLifeMs = 24 * 3600_000
const maxJitterMs = 10_000
const retryMs = 10_000
const maxTokens = 10_000

export class TokenCache {
  readonly #options: TokenCacheOptions
  readonly #tokens = new Map<string, Token>()
  readonly #pending = new Map<string, Promise<string>>()

  constructor(options: TokenCacheOptions) {
    this.#options = options
    options.scope.defer(() => {
      for (const token of this.#tokens.values()) token.timer?.[Symbol.dispose]()
    })
  }

  /** A token that lives on for a good while. An old one still serves when there is no getting a new one. */
  async get(
    pod: Readonly<Pod>,
    audience: string | undefined,
    expirationSeconds: number,
    signal: AbortSignal,
  ): Promise<string> {
    const { namespace, uid } = pod.metadata
    const account = pod.spec.serviceAccountName || "default"
    const key = JSON.stringify([uid, account, namespace, audience ?? "", expirationSeconds])
    const known = this.#tokens.get(key)
    const now = this.#options.env.clock.now()
    if (known && now < known.dueMs) return known.text
    let request = this.#pending.get(key)
    if (!request) {
      request = this.#request(key, pod, account, audience, expirationSeconds, signal)
      request = request.finally(() => this.#pending.delete(key))
      this.#pending.set(key, request)
    }
    try {
      return await request
    } catch (thrown) {
      signal.throwIfAborted()
      if (!known || now >= known.expiresMs)
        throw new Error(`failed to fetch token: ${messageOf(thrown)}`, { cause: thrown })
      this.#options.env.log.error("Cannot renew a service account token", thrown, { pod: pod.metadata.name })
      this.#schedule(known, retryMs)
      return known.text
    }
  }

  /** Drops the tokens of a pod that is gone. */
  forget(podUid: string): void {
    for (const [key, token] of this.#tokens) {
      if (token.podUid !== podUid) continue
      token.timer?.[Symbol.dispose]()
      this.#tokens.delete(key)
    }
  }

  async #request(
    key: string,
    pod: Readonly<Pod>,
    account: string,
    audience: string | undefined,
    expirationSeconds: number,
    signal: AbortSignal,
  ): Promise<string> {
    const { env, client } = this.#options
    const { name, namespace, uid } = pod.metadata
    const body = {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      metadata: {},
      spec: {
        audiences: audience ? [audience] : [],
        expirationSeconds,
        boundObjectRef: { apiVersion: "v1", kind: "Pod", name, uid },
      },
    }
    const ref = { namespace, name: account }
    const answer = await client.createSubresource<TokenRequest>(serviceAccount, ref, "token", body, {
      signal,
    })
    const now = env.clock.now()
    const expiresMs = parseTime(answer.status.expirationTimestamp ?? "")
    const lifeMs = (answer.spec.expirationSeconds ?? expirationSeconds) * 1000
    const jitterMs = env.random.next() * Math.min(maxJitterMs, lifeMs / 20)
    const dueMs = Math.min(expiresMs - lifeMs * 0.2, now + maxLifeMs) - jitterMs
    const token: Token = {
      podUid: uid,
      text: answer.status.token ?? "",
      expiresMs,
      dueMs,
      timer: undefined,
    }
    this.#tokens.get(key)?.timer?.[Symbol.dispose]()
    if (this.#tokens.size >= maxTokens) {
      const [oldest, old] = this.#tokens.entries().next().value!
      old.timer?.[Symbol.dispose]()
      this.#tokens.delete(oldest)
    }
    this.#tokens.set(key, token)
    this.#schedule(token, dueMs - now)
    return token.text
  }

  #schedule(token: Token, ms: number): void {
    token.timer?.[Symbol.dispose]()
    token.timer = this.#options.env.clock.timer(Math.max(ms, 0) + 1, () => this.#options.onDue(token.podUid))
  }
}
