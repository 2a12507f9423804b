/**
 * Users from client certificates: the common name is the user, the organisations are the groups.
 * Mirrors: apiserver pkg/authentication/request/x509
 */
import type { X509Certificate } from "node:crypto"
import type { Clock } from "@knarr/base"
import type { Credentials, Refused, RequestAuthenticator, UserInfo } from "../contract.ts"
import { ClientChains, subjectOf } from "./client-chain.ts"
import { allAuthenticated } from "./users.ts"

/** Knows the users of connections by an authority that can be replaced while it runs. */
export class ClientCertificates implements RequestAuthenticator {
  readonly #chains: ClientChains<UserInfo>

  constructor(clock: Clock, clientCA: string | undefined) {
    this.#chains = new ClientChains(clock, clientCA, userOf)
  }

  /** See {@link ClientChains.setAuthority}. */
  setAuthority(clientCA: string | undefined): void {
    this.#chains.setAuthority(clientCA)
  }

  /** A user, nobody (no certificate), or a certificate that is not to be trusted. */
  authenticate({ socket }: Pick<Credentials, "socket">): UserInfo | Refused | undefined {
    return this.#chains.of(socket)
  }
}

function userOf(leaf: X509Certificate): UserInfo | undefined {
  const { names, organizations } = subjectOf(leaf)
  const name = names.at(-1)
  if (!name) return undefined
  const credential = `X509SHA256=${leaf.fingerprint256.replaceAll(":", "").toLowerCase()}`
  return Object.freeze({
    name,
    groups: Object.freeze([...organizations.filter((group) => group !== allAuthenticated), allAuthenticated]),
    extra: Object.freeze({ "authentication.kubernetes.io/credential-id": Object.freeze([credential]) }),
  })
}
