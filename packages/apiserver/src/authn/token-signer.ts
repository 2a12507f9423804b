/**
 * Issues and checks service account tokens (JWT, ES256 or RS256), and publishes the keys that check them.
 * Mirrors: pkg/serviceaccount/jwt.go, openidmetadata.go
 */
import { createHash, createPrivateKey, createPublicKey, sign, verify, type KeyObject } from "node:crypto"
import { parseJson } from "@knarr/base"

export interface SigningKeyOptions {
  /** PEM of the private key that signs. */
  readonly signingKey: string
  /** Further PEM keys (public or private) whose signatures are accepted: for rotation. */
  readonly verificationKeys?: readonly string[] | undefined
  /** The first issues, all are accepted. */
  readonly issuers: readonly string[]
}

type Algorithm = "ES256" | "ES384" | "ES512" | "RS256"

interface PublicKey {
  readonly id: string
  readonly key: KeyObject
  readonly algorithm: Algorithm
}

export type Claims = Readonly<Record<string, unknown>>

/** Signs and verifies; knows nothing of what the claims mean. */
export class TokenSigner {
  readonly issuers: readonly string[]
  readonly #private: KeyObject
  readonly #own: PublicKey
  readonly #keys: readonly PublicKey[]

  constructor(options: SigningKeyOptions) {
    this.issuers = options.issuers
    this.#private = createPrivateKey(options.signingKey)
    this.#own = publicKeyOf(createPublicKey(this.#private))
    const keys = [this.#own]
    for (const pem of options.verificationKeys ?? []) {
      const key = publicKeyOf(createPublicKey(pem))
      if (!keys.some((other) => other.id === key.id)) keys.push(key)
    }
    this.#keys = keys
  }

  sign(claims: Claims): string {
    const { algorithm, id } = this.#own
    const head = encode({ alg: algorithm, kid: id })
    const input = `${head}.${encode(claims)}`
    return `${input}.${signature(algorithm, input, this.#private).toString("base64url")}`
  }

  /** The claims of a token that one of the keys signed; undefined for anything else. Times are not looked at. */
  verify(token: string): Claims | undefined {
    const parts = token.split(".")
    if (parts.length !== 3) return undefined
    // Only one spelling of a token is the token.
    if (!parts.every(isCanonical)) return undefined
    const head = decode(parts[0]!)
    const claims = decode(parts[1]!)
    if (!head || !claims) return undefined
    const input = `${parts[0]}.${parts[1]}`
    const bytes = Buffer.from(parts[2]!, "base64url")
    for (const key of this.#keys) {
      if (head["alg"] !== key.algorithm) continue
      if (typeof head["kid"] === "string" && head["kid"] !== "" && head["kid"] !== key.id) continue
      if (check(key, input, bytes)) return claims
    }
    return undefined
  }

  /** Whether a text looks like a token of one of our issuers; anything else is another authenticator's. */
  issuedHere(token: string): boolean {
    return this.issuers.includes(issuerOf(token) ?? "")
  }

  /** The body of `/openid/v1/jwks`. */
  jwks(): string {
    const keys = this.#keys.map(({ id, key, algorithm }) => {
      const jwk = key.export({ format: "jwk" })
      return jwk.kty === "EC"
        ? { use: "sig", kty: "EC", kid: id, crv: jwk.crv, alg: algorithm, x: jwk.x, y: jwk.y }
        : { use: "sig", kty: "RSA", kid: id, alg: algorithm, n: jwk.n, e: jwk.e }
    })
    return JSON.stringify({ keys })
  }

  /** The body of `/.well-known/openid-configuration`. */
  openIdConfiguration(jwksUri: string): string {
    return JSON.stringify({
      issuer: this.issuers[0],
      jwks_uri: jwksUri,
      response_types_supported: ["id_token"],
      subject_types_supported: ["public"],
      id_token_signing_alg_values_supported: [...new Set(this.#keys.map((key) => key.algorithm))],
    })
  }
}

/** Who a token says has issued it; undefined when it does not look like one. */
export function issuerOf(token: string): string | undefined {
  const claims = decode(token.split(".")[1] ?? "")
  return claims && String(claims["iss"])
}

function publicKeyOf(key: KeyObject): PublicKey {
  const id = createHash("sha256")
    .update(key.export({ type: "spki", format: "der" }))
    .digest("base64url")
  return { id, key, algorithm: algorithmOf(key) }
}

function algorithmOf(key: KeyObject): Algorithm {
  if (key.asymmetricKeyType === "rsa") return "RS256"
  const curve = key.asymmetricKeyDetails?.namedCurve
  if (curve === "prime256v1") return "ES256"
  if (curve === "secp384r1") return "ES384"
  if (curve === "secp521r1") return "ES512"
  throw new Error(
    `Cannot sign service account tokens: a key of type "${key.asymmetricKeyType}" is not supported`,
  )
}

const digests: Readonly<Record<Algorithm, string>> = {
  ES256: "sha256",
  ES384: "sha384",
  ES512: "sha512",
  RS256: "sha256",
}

function signature(algorithm: Algorithm, input: string, key: KeyObject): Buffer {
  return sign(digests[algorithm], Buffer.from(input), { key, dsaEncoding: "ieee-p1363" })
}

function check({ key, algorithm }: PublicKey, input: string, bytes: Buffer): boolean {
  try {
    return verify(digests[algorithm], Buffer.from(input), { key, dsaEncoding: "ieee-p1363" }, bytes)
  } catch {
    return false
  }
}

function isCanonical(part: string): boolean {
  return Buffer.from(part, "base64url").toString("base64url") === part
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url")
}

function decode(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = parseJson(Buffer.from(part, "base64url").toString("utf8"))
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}
