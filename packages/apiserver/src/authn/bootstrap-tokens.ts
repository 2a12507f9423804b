/**
 * Users from bootstrap tokens, which Secrets hold. Every wrong one is nobody's: another authenticator may know it.
 * Mirrors: plugin/pkg/auth/authenticator/token/bootstrap
 */
import { timingSafeEqual } from "node:crypto"
import {
  bootstrapSecretName,
  bootstrapTokenNamespace,
  isBootstrapExpired,
  parseBootstrapToken,
  readBootstrapSecret,
  secret,
} from "@knarr/api"
import type { Clock } from "@knarr/base"
import type { TokenAuthenticator, TokenOwner } from "../contract.ts"
import type { ObjectReader } from "./service-account-tokens.ts"

export class BootstrapTokens implements TokenAuthenticator {
  readonly #reader: Pick<ObjectReader, "get">
  readonly #clock: Clock

  constructor(reader: Pick<ObjectReader, "get">, clock: Clock) {
    this.#reader = reader
    this.#clock = clock
  }

  authenticate(token: string): TokenOwner | undefined {
    const asked = parseBootstrapToken(token)
    if (!asked) return undefined
    const ref = { namespace: bootstrapTokenNamespace, name: bootstrapSecretName(asked.id) }
    const object = this.#reader.get(secret, ref)
    if (!object || object.metadata.deletionTimestamp) return undefined
    const known = readBootstrapSecret(object)
    if (!known || !isSame(known.secret, asked.secret)) return undefined
    if (isBootstrapExpired(known, this.#clock.now()) || !known.forAuthentication || !known.groups)
      return undefined
    return { user: { name: `system:bootstrap:${known.id}`, groups: known.groups } }
  }
}

function isSame(a: string, b: string): boolean {
  const [x, y] = [Buffer.from(a), Buffer.from(b)]
  return x.length === y.length && timingSafeEqual(x, y)
}
