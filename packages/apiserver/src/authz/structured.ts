/**
 * The chain of authorizers that a configuration file, or flags, ask for; a file is read again while the server runs.
 * Mirrors: kubernetes pkg/kubeapiserver/authorizer/{config,reload}.go
 */
import { readFile } from "node:fs/promises"
import type { Env, Scope } from "@knarr/base"
import { readConfigText } from "@knarr/client"
import type {
  AuthorizationAttributes,
  Authorizer,
  Cancellable,
  Decision,
  UserInfo,
  UserRules,
} from "../contract.ts"
import { createAuthorizer, type NamedAuthorizer } from "./authorizer.ts"
import { parseAuthorization, type AuthorizerSpec } from "./config.ts"
import { WebhookAuthorizer } from "./webhook.ts"

/** A file, or what one would say. */
export type StructuredAuthorizationOptions =
  | { readonly file: string }
  | { readonly authorizers: readonly AuthorizerSpec[] }

const reloadMs = 10_000

export class StructuredAuthorization implements Required<Authorizer> {
  readonly #own: readonly NamedAuthorizer[]
  readonly #env: Env
  readonly #scope: Scope
  #chain: Required<Authorizer> = createAuthorizer([])
  #webhooks: Scope | undefined

  private constructor(own: readonly NamedAuthorizer[], env: Env, scope: Scope) {
    this.#own = own
    this.#env = env
    this.#scope = scope
  }

  /** `own`: `node` and `rbac`. Rejects when the configuration is wrong. Ends with `scope`. */
  static async start(
    options: StructuredAuthorizationOptions,
    own: readonly NamedAuthorizer[],
    env: Env,
    scope: Scope,
  ): Promise<StructuredAuthorization> {
    const made = new StructuredAuthorization(own, env, scope)
    if ("authorizers" in options) {
      await made.#take(options.authorizers)
      return made
    }
    const { file } = options
    let text = await readConfigText(file)
    await made.#take(await parseAuthorization(text))
    scope.run(
      "changes of the authorization configuration",
      async (signal) => {
        for (;;) {
          await env.clock.sleep(reloadMs, signal)
          try {
            const next = await readFile(file, "utf8")
            if (next === text) continue
            await made.#take(await parseAuthorization(next))
            text = next
            env.log.info("The authorization configuration has changed", { path: file })
          } catch (thrown) {
            env.log.error("The authorization configuration cannot be read again", thrown, { path: file })
          }
        }
      },
      { restart: true },
    )
    return made
  }

  authorize(
    user: UserInfo,
    attributes: AuthorizationAttributes,
    request: Cancellable,
  ): Decision | Promise<Decision> {
    return this.#chain.authorize(user, attributes, request)
  }

  rulesFor(user: UserInfo, namespace: string, request: Cancellable): UserRules | Promise<UserRules> {
    return this.#chain.rulesFor(user, namespace, request)
  }

  /** The former chain goes on when the new one cannot be made. */
  async #take(specs: readonly AuthorizerSpec[]): Promise<void> {
    const scope = this.#scope.child("authorizers outside")
    const chain: NamedAuthorizer[] = []
    try {
      for (const spec of specs) chain.push({ name: spec.name, authorizer: await this.#make(spec, scope) })
    } catch (thrown) {
      await scope.close()
      throw thrown
    }
    const before = this.#webhooks
    this.#chain = createAuthorizer(chain)
    this.#webhooks = scope
    await before?.close()
  }

  async #make({ type, webhook }: AuthorizerSpec, scope: Scope): Promise<Authorizer> {
    if (type === "Webhook") return scope.use(await WebhookAuthorizer.open(webhook!, this.#env))
    if (type === "AlwaysAllow") return { authorize: () => ({ verdict: "allow", reason: "" }) }
    if (type === "AlwaysDeny")
      return { authorize: () => ({ verdict: "noOpinion", reason: "Everything is forbidden." }) }
    return this.#own.find(({ name }) => name === type.toLowerCase())!.authorizer
  }
}
