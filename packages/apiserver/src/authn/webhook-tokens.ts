/**
 * Users of tokens that a program outside knows. Its answers are kept for a while, by a hash of the token.
 * Mirrors: apiserver plugin/pkg/authenticator/token/webhook, pkg/authentication/token/cache
 */
import { createHmac } from "node:crypto"
import type { TokenReview } from "@knarr/api"
import type { Env } from "@knarr/base"
import type { Cancellable, Refused, TokenAuthenticator, TokenOwner } from "../contract.ts"
import { ReviewClient } from "../outbound/review-client.ts"
import { Lru } from "./lru.ts"

export interface WebhookTokensOptions {
  /** A kubeconfig that says where, and how the two sides know each other. */
  readonly configFile: string
  /** Default `v1beta1`, as upstream. */
  readonly version?: "v1" | "v1beta1" | undefined
  /** Default 120,000; 0 keeps nothing. */
  readonly cacheTtlMs?: number | undefined
}

type Answer = TokenOwner | Refused | undefined

const askLimitMs = 30_000
const keptAnswers = 4096
const never = new AbortController().signal

export class WebhookTokens implements TokenAuthenticator, Disposable {
  readonly #client: ReviewClient
  readonly #env: Env
  readonly #version: string
  readonly #ttlMs: number
  /** The audiences of this server, for a program that says nothing about them. */
  readonly #implicit: readonly string[]
  readonly #secret: Uint8Array
  readonly #known = new Lru<string, { readonly answer: Answer; readonly untilMs: number }>(keptAnswers)
  readonly #asking = new Map<string, Promise<Answer>>()

  private constructor(
    client: ReviewClient,
    env: Env,
    options: WebhookTokensOptions,
    implicit: readonly string[],
  ) {
    this.#client = client
    this.#env = env
    this.#version = options.version ?? "v1beta1"
    this.#ttlMs = options.cacheTtlMs ?? 120_000
    this.#implicit = implicit
    this.#secret = env.random.bytes(32)
  }

  /** Rejects when the configuration cannot be read. */
  static async open(
    options: WebhookTokensOptions,
    env: Env,
    implicit: readonly string[],
  ): Promise<WebhookTokens> {
    return new WebhookTokens(await ReviewClient.open(options.configFile, env), env, options, implicit)
  }

  authenticate(token: string, audiences: readonly string[], _request: Cancellable): Answer | Promise<Answer> {
    const { clock } = this.#env
    const key = createHmac("sha256", this.#secret)
      .update(JSON.stringify([token, audiences]))
      .digest("base64")
    const known = this.#known.get(key)
    if (known && clock.monotonic() < known.untilMs) return known.answer
    let asking = this.#asking.get(key)
    if (!asking) {
      // Several may wait for it: nobody's going ends it for the others.
      asking = this.#ask(token, audiences).finally(() => this.#asking.delete(key))
      this.#asking.set(key, asking)
    }
    return asking.then((answer) => {
      // What could not be asked, or was refused with an error, is asked again.
      const isError = answer !== undefined && "error" in answer
      if (this.#ttlMs > 0 && !isError)
        this.#known.set(key, { answer, untilMs: clock.monotonic() + this.#ttlMs }, 1)
      return answer
    })
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]()
  }

  async #ask(token: string, audiences: readonly string[]): Promise<Answer> {
    const review = {
      kind: "TokenReview",
      apiVersion: `authentication.k8s.io/${this.#version}`,
      metadata: {},
      spec: { token, ...(audiences.length > 0 ? { audiences } : {}) },
      status: { user: {} },
    }
    const { status } = (await this.#client.ask(review, askLimitMs, never)) as Partial<TokenReview>
    const given = status?.audiences ?? []
    const matching = audiences.filter((one) => (given.length > 0 ? given : this.#implicit).includes(one))
    if (audiences.length > 0 && matching.length === 0) return undefined
    if (!status?.authenticated) return status?.error ? { error: status.error } : undefined
    const { username = "", uid, groups = [], extra } = status.user ?? {}
    return {
      user: { name: username, groups, ...(uid ? { uid } : {}), ...(extra ? { extra } : {}) },
      ...(audiences.length > 0 ? { audiences: matching } : {}),
    }
  }
}
