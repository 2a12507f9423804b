/**
 * The keys of an issuer, as it publishes them. Mirrors: github.com/coreos/go-oidc oidc.go NewProvider, jwks.go RemoteKeySet
 */
import { constants, createPublicKey, verify, type KeyObject, type webcrypto } from "node:crypto"
import { type Env, parseJson, withTimeout } from "@knarr/base"
import { createTransport, type Transport } from "@knarr/client"
import { readBounded } from "../../outbound/read-bounded.ts"

export interface IssuerOptions {
  readonly url: string
  readonly discoveryURL?: string | undefined
  /** PEM; default: the machine's authorities. */
  readonly ca?: string | undefined
}

interface IssuerKey {
  readonly id: string
  readonly key: KeyObject
}

const answerLimitMs = 30_000
const maxBytes = 1024 * 1024
/** An unknown key is asked for at the most this often. */
const askAgainMs = 1000

const algorithms: Readonly<
  Record<
    string,
    { readonly digest: string; readonly type: "rsa" | "ec"; readonly curve?: string; readonly pss?: boolean }
  >
> = {
  RS256: { digest: "sha256", type: "rsa" },
  RS384: { digest: "sha384", type: "rsa" },
  RS512: { digest: "sha512", type: "rsa" },
  PS256: { digest: "sha256", type: "rsa", pss: true },
  PS384: { digest: "sha384", type: "rsa", pss: true },
  PS512: { digest: "sha512", type: "rsa", pss: true },
  ES256: { digest: "sha256", type: "ec", curve: "prime256v1" },
  ES384: { digest: "sha384", type: "ec", curve: "secp384r1" },
  ES512: { digest: "sha512", type: "ec", curve: "secp521r1" },
}

/** All that a token may be signed with. */
export const signingAlgorithms: readonly string[] = Object.keys(algorithms).sort()

export class IssuerKeys implements Disposable {
  readonly #options: IssuerOptions
  readonly #env: Pick<Env, "clock" | "random">
  readonly #transports = new Map<string, Transport>()
  #jwksUrl: string | undefined
  #keys: readonly IssuerKey[] = []
  #asking: Promise<void> | undefined
  #askedAtMs = -Infinity

  constructor(options: IssuerOptions, env: Pick<Env, "clock" | "random">) {
    this.#options = options
    this.#env = env
  }

  get isReady(): boolean {
    return this.#jwksUrl !== undefined
  }

  /** Finds out where the keys are. Rejects with why it cannot. */
  async discover(signal: AbortSignal): Promise<void> {
    const { url, discoveryURL } = this.#options
    const where = discoveryURL ?? `${url.replace(/\/$/, "")}/.well-known/openid-configuration`
    const found = (await this.#get(where, signal)) as { issuer?: unknown; jwks_uri?: unknown }
    if (found.issuer !== url)
      throw new Error(
        `oidc: issuer did not match the issuer returned by provider, expected ${JSON.stringify(url)} got ${JSON.stringify(found.issuer ?? "")}`,
      )
    if (typeof found.jwks_uri !== "string" || found.jwks_uri === "")
      throw new Error("provider did not return JWKS URL")
    this.#jwksUrl = found.jwks_uri
  }

  /** Whether one of the keys made the signature; they are asked for anew when none of those that are known did. */
  async verify(
    algorithm: string,
    keyId: string,
    input: string,
    signature: Buffer,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (this.#check(algorithm, keyId, input, signature)) return true
    const { clock } = this.#env
    if (clock.monotonic() - this.#askedAtMs < askAgainMs && !this.#asking) return false
    this.#asking ??= this.#refresh(signal).finally(() => (this.#asking = undefined))
    await this.#asking
    return this.#check(algorithm, keyId, input, signature)
  }

  [Symbol.dispose](): void {
    for (const transport of this.#transports.values()) transport[Symbol.dispose]()
  }

  #check(algorithm: string, keyId: string, input: string, signature: Buffer): boolean {
    const how = algorithms[algorithm]
    if (!how) return false
    return this.#keys.some(({ id, key }) => {
      if (keyId !== "" && id !== keyId) return false
      if (key.asymmetricKeyType !== how.type) return false
      if (how.curve !== undefined && key.asymmetricKeyDetails?.namedCurve !== how.curve) return false
      const options = how.pss
        ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
        : {}
      try {
        return verify(
          how.digest,
          Buffer.from(input),
          { key, dsaEncoding: "ieee-p1363", ...options },
          signature,
        )
      } catch {
        return false
      }
    })
  }

  async #refresh(signal: AbortSignal): Promise<void> {
    this.#askedAtMs = this.#env.clock.monotonic()
    const set = (await this.#get(this.#jwksUrl!, signal)) as { keys?: unknown }
    const keys: IssuerKey[] = []
    for (const jwk of Array.isArray(set.keys) ? (set.keys as Record<string, unknown>[]) : []) {
      if (jwk?.["use"] !== undefined && jwk["use"] !== "sig") continue
      try {
        keys.push({
          id: String(jwk["kid"] ?? ""),
          key: createPublicKey({ key: jwk as webcrypto.JsonWebKey, format: "jwk" }),
        })
      } catch {
        // A key of a kind that nobody here knows is of no use.
      }
    }
    this.#keys = keys
  }

  async #get(url: string, signal: AbortSignal): Promise<unknown> {
    const at = new URL(url)
    let transport = this.#transports.get(at.origin)
    if (!transport) {
      const tls = this.#options.ca === undefined ? {} : { ca: this.#options.ca }
      transport = createTransport({ server: at.origin, tls: () => tls, env: this.#env })
      this.#transports.set(at.origin, transport)
    }
    const { clock } = this.#env
    return withTimeout(clock, answerLimitMs, `Get "${url}"`, signal, async (limited) => {
      const answer = await transport.request({
        method: "GET",
        path: at.pathname + at.search,
        signal: limited,
      })
      const { status, body } = await readBounded(answer, maxBytes)
      if (status !== 200) throw new Error(`Get "${url}": ${status}: ${body.toString().slice(0, 200)}`)
      return parseJson(body.toString()) as unknown
    })
  }
}
