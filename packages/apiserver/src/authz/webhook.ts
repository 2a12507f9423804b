/**
 * An authorizer outside: a program that answers SubjectAccessReviews. Its answers are kept for a while.
 * Mirrors: apiserver plugin/pkg/authorizer/webhook, pkg/authorization/cel
 */
import { aggregate } from "@knarr/apimachinery"
import { asError, TimeoutError, type Env } from "@knarr/base"
import { Lru } from "../authn/lru.ts"
import type {
  AuthorizationAttributes,
  Authorizer,
  Cancellable,
  Decision,
  UserInfo,
  UserRules,
} from "../contract.ts"
import { ReviewClient } from "../outbound/review-client.ts"
import type { MatchCondition } from "./match-conditions.ts"
import { specOf, type Spec } from "./review-spec.ts"

export interface WebhookAuthorizerOptions {
  /** A kubeconfig that says where, and how the two sides know each other. */
  readonly configFile: string
  readonly version: "v1" | "v1beta1"
  readonly timeoutMs: number
  /** 0 keeps nothing. */
  readonly authorizedTtlMs: number
  readonly unauthorizedTtlMs: number
  /** What an error means. */
  readonly onError: "deny" | "noOpinion"
  readonly conditions: readonly MatchCondition[]
}

interface ReviewStatus {
  readonly allowed?: boolean
  readonly denied?: boolean
  readonly reason?: string
}

const keptAnswers = 8192
/** Questions whose words are longer than this together are not kept: who asks chooses them. */
const maxKeptWords = 10_000
const never = new AbortController().signal
const noOpinion: Decision = Object.freeze({ verdict: "noOpinion", reason: "" })

export class WebhookAuthorizer implements Authorizer, Disposable {
  readonly #options: WebhookAuthorizerOptions
  readonly #client: ReviewClient
  readonly #env: Env
  readonly #known = new Lru<string, { readonly status: ReviewStatus; readonly untilMs: number }>(keptAnswers)

  private constructor(options: WebhookAuthorizerOptions, client: ReviewClient, env: Env) {
    this.#options = options
    this.#client = client
    this.#env = env
  }

  /** Rejects when the configuration cannot be read. */
  static async open(options: WebhookAuthorizerOptions, env: Env): Promise<WebhookAuthorizer> {
    return new WebhookAuthorizer(options, await ReviewClient.open(options.configFile, env), env)
  }

  authorize(
    user: UserInfo,
    attributes: AuthorizationAttributes,
    request: Cancellable,
  ): Decision | Promise<Decision> {
    const spec = specOf(user, attributes)
    const { conditions } = this.#options
    if (conditions.length > 0) {
      const errors: string[] = []
      for (const condition of conditions) {
        const { value, error } = condition.evaluate(spec)
        if (error !== undefined)
          errors.push(`cel evaluation error: expression '${condition.text}' resulted in error: ${error}`)
        else if (value === false) return noOpinion
      }
      if (errors.length > 0) return this.#failed(new Error(aggregate(errors)))
    }
    const key = JSON.stringify(spec)
    const known = this.#known.get(key)
    if (known && this.#env.clock.monotonic() < known.untilMs) return decisionOf(known.status)
    return this.#ask(spec, key, attributes, request.signal ?? never)
  }

  rulesFor(): UserRules {
    const errors = ["webhook authorizer does not support user rule resolution"]
    return { rules: [], errors, incomplete: true }
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]()
  }

  async #ask(
    spec: Spec,
    key: string,
    attributes: AuthorizationAttributes,
    signal: AbortSignal,
  ): Promise<Decision> {
    const { version, timeoutMs, authorizedTtlMs, unauthorizedTtlMs } = this.#options
    const { groups, ...others } = spec
    const review = {
      kind: "SubjectAccessReview",
      apiVersion: `authorization.k8s.io/${version}`,
      metadata: {},
      spec: version === "v1" ? spec : { ...others, group: groups },
      status: { allowed: false },
    }
    let status: ReviewStatus
    try {
      const answer = (await this.#client.ask(review, timeoutMs, signal)) as { status?: ReviewStatus } | null
      status = answer?.status ?? {}
    } catch (thrown) {
      signal.throwIfAborted()
      const error = asError(thrown)
      return this.#failed(error instanceof TimeoutError ? new Error("context deadline exceeded") : error)
    }
    const ttlMs = status.allowed ? authorizedTtlMs : unauthorizedTtlMs
    if (ttlMs > 0 && wordsOf(attributes) < maxKeptWords)
      this.#known.set(key, { status, untilMs: this.#env.clock.monotonic() + ttlMs }, 1)
    return decisionOf(status)
  }

  #failed(error: Error): Decision {
    return { verdict: this.#options.onError, reason: "", error }
  }
}

function decisionOf({ allowed, denied, reason = "" }: ReviewStatus): Decision {
  if (denied && allowed) {
    const error = new Error("webhook subject access review returned both allow and deny response")
    return { verdict: "deny", reason, error }
  }
  return { verdict: denied ? "deny" : allowed ? "allow" : "noOpinion", reason }
}

function wordsOf(one: AuthorizationAttributes): number {
  const { namespace, verb, apiGroup, apiVersion, resource, subresource, name, path } = one
  return [namespace, verb, apiGroup, apiVersion, resource, subresource, name, path].join("").length
}
