/**
 * The issuers of `--authentication-config` (or the one of `--oidc-*`): each is asked for its keys until it answers, and the file is
 * read again while the server runs. Mirrors: kubernetes pkg/kubeapiserver/options/authentication.go
 */
import { readFile } from "node:fs/promises"
import { messageOf, type Env, type Scope } from "@knarr/base"
import type { Cancellable, Refused, TokenAuthenticator, TokenOwner } from "../../contract.ts"
import { readConfigText } from "@knarr/client"
import { firstKnown } from "../first-known.ts"
import {
  checkAuthentication,
  parseAuthentication,
  type AnonymousConfig,
  type AuthenticationConfig,
  type ReadAuthentication,
} from "./config.ts"
import { IssuerKeys, signingAlgorithms } from "./issuer-keys.ts"
import { JwtUsers } from "./jwt-users.ts"

export interface StructuredOptions {
  /** Read again every ten seconds; a file that is wrong leaves what was before. */
  readonly file?: string | undefined
  /** In place of a file. */
  readonly config?: AuthenticationConfig | undefined
  /** What tokens may be signed with. Default: everything that is known. */
  readonly signingAlgorithms?: readonly string[] | undefined
  /** Issuers of the server itself. */
  readonly ours: readonly string[]
}

const reloadMs = 10_000
const discoverMs = 10_000

export class StructuredAuthentication implements TokenAuthenticator {
  readonly #options: StructuredOptions
  readonly #env: Env
  readonly #scope: Scope
  /** Of the configuration at start: a change of it counts from the next one. */
  readonly anonymous: AnonymousConfig | undefined
  #users: readonly JwtUsers[] = []
  #issuers: Scope | undefined
  #text: string | undefined

  private constructor(options: StructuredOptions, env: Env, scope: Scope, read: ReadAuthentication) {
    this.#options = options
    this.#env = env
    this.#scope = scope
    this.anonymous = read.anonymous
  }

  /** Rejects when the configuration is wrong. Ends with `scope`. */
  static async start(options: StructuredOptions, env: Env, scope: Scope): Promise<StructuredAuthentication> {
    const { file, config = {}, ours } = options
    const text = file === undefined ? undefined : await readConfigText(file)
    const read =
      text === undefined ? checkAuthentication(config, ours) : await parseAuthentication(text, ours)
    const made = new StructuredAuthentication(options, env, scope, read)
    made.#text = text
    made.#take(read)
    if (file !== undefined)
      scope.run(
        "changes of the authentication configuration",
        async (signal) => {
          for (;;) {
            await env.clock.sleep(reloadMs, signal)
            await made.#reload(file)
          }
        },
        { restart: true },
      )
    return made
  }

  authenticate(
    token: string,
    audiences: readonly string[],
    request: Cancellable,
  ): TokenOwner | Refused | undefined | Promise<TokenOwner | Refused | undefined> {
    return firstKnown(this.#users, (one) => one.authenticate(token, audiences, request), request)
  }

  async #reload(file: string): Promise<void> {
    const { log } = this.#env
    try {
      const text = await readFile(file, "utf8")
      if (text === this.#text) return
      const read = await parseAuthentication(text, this.#options.ours)
      if (JSON.stringify(read.anonymous) !== JSON.stringify(this.anonymous))
        throw new Error("changes to anonymous authentication are not allowed while the server runs")
      this.#text = text
      this.#take(read)
      log.info("The authentication configuration has changed", { path: file })
    } catch (thrown) {
      log.error("The authentication configuration cannot be read again", thrown, { path: file })
    }
  }

  /** Those who ask while the new issuers are not known yet are refused, as at the start. */
  #take({ rules }: ReadAuthentication): void {
    const { clock, log } = this.#env
    const before = this.#issuers
    const scope = this.#scope.child("issuers of tokens")
    this.#issuers = scope
    this.#users = rules.map((one) => {
      const { url, discoveryURL, certificateAuthority: ca } = one.config.issuer
      const keys = scope.use(new IssuerKeys({ url, discoveryURL, ca }, this.#env))
      scope.run(`keys of ${url}`, async (signal) => {
        for (;;) {
          try {
            return await keys.discover(signal)
          } catch (thrown) {
            if (signal.aborted) throw thrown
            log.warn("An issuer of tokens does not answer", { issuer: url, err: messageOf(thrown) })
          }
          await clock.sleep(discoverMs, signal)
        }
      })
      const algorithms = this.#options.signingAlgorithms ?? signingAlgorithms
      return new JwtUsers({ rules: one, keys, clock, algorithms })
    })
    void before?.close()
  }
}
