/**
 * Users from service account tokens: the signature is checked once per token, the objects that it is bound to
 * on every request. Mirrors: pkg/serviceaccount/claims.go, jwt.go, legacy.go
 */
import { createHash, timingSafeEqual } from "node:crypto"
import { node, pod, secret, serviceAccount, type Secret } from "@knarr/api"
import type { Clock } from "@knarr/base"
import type { AdmissionDeps, Refused, TokenAuthenticator, TokenOwner, UserInfo } from "../contract.ts"
import { Lru } from "./lru.ts"
import type { TokenUses } from "./token-uses.ts"
import { allAuthenticated, serviceAccountGroups, serviceAccountUserName } from "./users.ts"
import { issuerOf, type Claims, type TokenSigner } from "./token-signer.ts"

/** Reads objects from the watch caches. */
export type ObjectReader = Pick<AdmissionDeps, "get" | "list">

interface BoundObject {
  readonly name: string
  readonly uid: string
}

interface Token {
  readonly namespace: string
  readonly account: BoundObject
  readonly pod: BoundObject | undefined
  readonly secret: BoundObject | undefined
  readonly node: BoundObject | undefined
  /** The name of the Secret that holds the token, which has no end of its own. */
  readonly legacySecret: string | undefined
  readonly audiences: readonly string[]
  readonly notBefore: number
  readonly expires: number
  /** When a new token should have been asked for; 0 when that is not said. */
  readonly warnAfter: number
  readonly user: UserInfo
}

/** Clock differences that are forgiven. Mirrors: jwt.DefaultLeeway */
const leewaySeconds = 60
/** The bytes of tokens whose users are remembered. */
const maxKnownBytes = 8 << 20
/** A token of an object that was deleted this long ago is refused. */
const deletionLeewaySeconds = 60

/** The issuer of tokens that Secrets hold. */
const legacyIssuer = "kubernetes/serviceaccount"
const invalidSinceLabel = "kubernetes.io/legacy-token-invalid-since"
const lastUsedLabel = "kubernetes.io/legacy-token-last-used"

/** How the tokens of Secrets are accepted. */
export interface LegacyTokens {
  /** They say nothing of what they are for: this. */
  readonly audiences: readonly string[]
  /** A Secret's label says another day than `today` (`2026-11-29`), on which its token was used. */
  readonly markUsed: (secret: Secret, label: string, today: string) => void
}

export class ServiceAccountTokens implements TokenAuthenticator {
  readonly #signer: TokenSigner
  readonly #reader: ObjectReader
  readonly #clock: Clock
  readonly #legacy: LegacyTokens | undefined
  /** By hash, and only what is signed by us: strangers put nothing here. */
  readonly #known = new Lru<string, Token>(maxKnownBytes)

  readonly #uses: TokenUses | undefined

  /** Without `legacy` tokens of Secrets are not accepted. With `uses` what is accepted is counted. */
  constructor(
    signer: TokenSigner,
    reader: ObjectReader,
    clock: Clock,
    legacy?: LegacyTokens,
    uses?: TokenUses,
  ) {
    this.#uses = uses
    this.#legacy = legacy
    this.#signer = signer
    this.#reader = reader
    this.#clock = clock
  }

  /** `audiences`: the token must be meant for one of these. */
  authenticate(text: string, audiences: readonly string[]): TokenOwner | Refused | undefined {
    const hash = createHash("sha256").update(text).digest("base64")
    let token = this.#known.get(hash)
    if (!token) {
      const legacy = this.#legacy && issuerOf(text) === legacyIssuer
      if (!legacy && !this.#signer.issuedHere(text)) return undefined
      const claims = this.#signer.verify(text)
      const read = claims && (legacy ? this.#readLegacy(claims) : this.#read(claims))
      if (!read) return { error: "invalid bearer token" }
      this.#known.set(hash, (token = read), text.length)
    }
    const now = this.#clock.now() / 1000
    if (now > token.expires + leewaySeconds) return { error: "service account token has expired" }
    if (now < token.notBefore - leewaySeconds) return { error: "service account token is not valid yet" }
    const meant = token.audiences.filter((audience) => audiences.includes(audience))
    if (meant.length === 0) {
      return {
        error: `token audiences ${goList(token.audiences)} is invalid for the target audiences ${goList(audiences)}`,
      }
    }
    const problem =
      token.legacySecret === undefined
        ? this.#problemWithBoundObjects(token)
        : this.#problemWithLegacy(token, token.legacySecret, text)
    if (problem !== undefined) return { error: problem }
    if (token.legacySecret === undefined) this.#uses?.bound(token.warnAfter !== 0 && now > token.warnAfter)
    return { user: token.user, audiences: meant }
  }

  /** Undefined when the claims are not those of a service account's token. */
  #read(claims: Claims): Token | undefined {
    const bound = claims["kubernetes.io"]
    if (!isRecord(bound)) return undefined
    const namespace = bound["namespace"]
    const account = boundObject(bound["serviceaccount"])
    if (typeof namespace !== "string" || !account) return undefined
    if (claims["sub"] !== serviceAccountUserName(namespace, account.name)) return undefined
    const aud = claims["aud"]
    const audiences = typeof aud === "string" ? [aud] : Array.isArray(aud) ? aud.map(String) : []
    const boundPod = boundObject(bound["pod"])
    const boundNode = boundObject(bound["node"])
    const extra: Record<string, readonly string[]> = {}
    if (boundPod) {
      extra["authentication.kubernetes.io/pod-name"] = [boundPod.name]
      extra["authentication.kubernetes.io/pod-uid"] = [boundPod.uid]
    }
    if (boundNode) {
      extra["authentication.kubernetes.io/node-name"] = [boundNode.name]
      if (boundNode.uid !== "") extra["authentication.kubernetes.io/node-uid"] = [boundNode.uid]
    }
    if (typeof claims["jti"] === "string" && claims["jti"] !== "")
      extra["authentication.kubernetes.io/credential-id"] = [`JTI=${claims["jti"]}`]
    const user: UserInfo = Object.freeze({
      name: serviceAccountUserName(namespace, account.name),
      uid: account.uid,
      groups: Object.freeze([...serviceAccountGroups(namespace), allAuthenticated]),
      extra: Object.freeze(extra),
    })
    return {
      namespace,
      account,
      pod: boundPod,
      secret: boundObject(bound["secret"]),
      node: boundNode,
      legacySecret: undefined,
      audiences,
      notBefore: Number(claims["nbf"] ?? 0),
      expires: Number(claims["exp"] ?? 0),
      warnAfter: Number(bound["warnafter"] ?? 0),
      user,
    }
  }

  #readLegacy(claims: Claims): Token | undefined {
    const claim = (name: string): string | undefined => {
      const value = claims[`kubernetes.io/serviceaccount/${name}`]
      return typeof value === "string" && value !== "" ? value : undefined
    }
    const namespace = claim("namespace")
    const name = claim("service-account.name")
    const uid = claim("service-account.uid")
    const legacySecret = claim("secret.name")
    if (!namespace || !name || !uid || !legacySecret) return undefined
    if (claims["sub"] !== serviceAccountUserName(namespace, name)) return undefined
    return {
      namespace,
      account: { name, uid },
      pod: undefined,
      secret: undefined,
      node: undefined,
      legacySecret,
      audiences: this.#legacy!.audiences,
      notBefore: 0,
      expires: Infinity,
      warnAfter: 0,
      user: Object.freeze({
        name: serviceAccountUserName(namespace, name),
        uid,
        groups: Object.freeze([...serviceAccountGroups(namespace), allAuthenticated]),
      }),
    }
  }

  #problemWithLegacy({ namespace, account }: Token, name: string, text: string): string | undefined {
    const holder = this.#reader.get(secret, { namespace, name })
    if (!holder || holder.metadata.deletionTimestamp) return "Token has been invalidated"
    const held = Buffer.from(holder.data?.["token"] ?? "", "base64")
    const sent = Buffer.from(text)
    if (held.length !== sent.length || !timingSafeEqual(held, sent))
      return "Token does not match server's copy"
    const owner = this.#reader.get(serviceAccount, { namespace, name: account.name })
    if (!owner) return `serviceaccounts ${JSON.stringify(account.name)} not found`
    if (owner.metadata.deletionTimestamp)
      return `ServiceAccount ${namespace}/${account.name} has been deleted`
    if (owner.metadata.uid !== account.uid)
      return `ServiceAccount UID (${owner.metadata.uid}) does not match claim (${account.uid})`
    this.#markUsed(holder)
    const isInvalid = Boolean(holder.metadata.labels?.[invalidSinceLabel])
    const isGenerated = owner.secrets?.some((one) => one.name === name) === true
    this.#uses?.legacy(isInvalid ? "invalid" : isGenerated ? "generated" : "manual")
    if (!isInvalid) return undefined
    return (
      `the token in secret ${namespace}/${name} for service account ${namespace}/${account.name} has been marked ` +
      "invalid. Use tokens from the TokenRequest API or manually created secret-based tokens, or remove the " +
      `'${invalidSinceLabel}' label from the secret to temporarily allow use of this token`
    )
  }

  #markUsed(holder: Secret): void {
    const day = (afterMs: number): string => new Date(this.#clock.now() + afterMs).toISOString().slice(0, 10)
    const lastUsed = holder.metadata.labels?.[lastUsedLabel]
    // A server whose clock is ahead may have written tomorrow.
    if (lastUsed !== day(0) && lastUsed !== day(86_400_000))
      this.#legacy!.markUsed(holder, lastUsedLabel, day(0))
  }

  #problemWithBoundObjects(token: Token): string | undefined {
    const { namespace, account } = token
    const latestDeletion = this.#clock.now() - deletionLeewaySeconds * 1000
    const gone = (obj: { metadata: { deletionTimestamp?: string | undefined } }): boolean =>
      obj.metadata.deletionTimestamp !== undefined &&
      Date.parse(obj.metadata.deletionTimestamp) < latestDeletion
    const owner = this.#reader.get(serviceAccount, { namespace, name: account.name })
    if (!owner) return `serviceaccounts ${JSON.stringify(account.name)} not found`
    if (gone(owner)) return "service account token has been invalidated"
    if (owner.metadata.uid !== account.uid)
      return `service account UID (${owner.metadata.uid}) does not match claim (${account.uid})`
    if (token.secret) {
      const found = this.#reader.get(secret, { namespace, name: token.secret.name })
      if (!found || gone(found) || found.metadata.uid !== token.secret.uid)
        return "service account token has been invalidated"
    }
    if (token.pod) {
      const found = this.#reader.get(pod, { namespace, name: token.pod.name })
      if (!found || gone(found)) return "service account token has been invalidated"
      if (found.metadata.uid !== token.pod.uid)
        return `pod UID (${found.metadata.uid}) does not match service account pod ref claim (${token.pod.uid})`
    } else if (token.node) {
      const found = this.#reader.get(node, { name: token.node.name })
      if (!found || gone(found) || found.metadata.uid !== token.node.uid)
        return "service account token has been invalidated"
    }
    return undefined
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null
}

function boundObject(value: unknown): BoundObject | undefined {
  if (!isRecord(value) || typeof value["name"] !== "string") return undefined
  return { name: value["name"], uid: typeof value["uid"] === "string" ? value["uid"] : "" }
}

function goList(values: readonly string[]): string {
  return `[${values.map((value) => JSON.stringify(value)).join(" ")}]`
}
