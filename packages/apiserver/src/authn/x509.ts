/**
 * Users from client certificates: the common name is the user, the organisations are the groups. Whether a chain is
 * good is OpenSSL's verdict, reached in the handshake with all of its rules (purpose of every certificate, path
 * lengths, name constraints, critical extensions); nothing here overrules a refusal.
 * Mirrors: apiserver pkg/authentication/request/x509
 */
import { X509Certificate } from "node:crypto"
import type { TLSSocket } from "node:tls"
import type { Clock } from "@knarr/base"
import type { Credentials, Refused, RequestAuthenticator, UserInfo } from "../contract.ts"
import { allAuthenticated } from "./users.ts"

interface Verified {
  readonly user: UserInfo
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

/** More links than a chain of ours ever has. */
const maxDepth = 16

/** Knows the users of connections by an authority that can be replaced while it runs. */
export class ClientCertificates implements RequestAuthenticator {
  readonly #clock: Clock
  #authorities: readonly X509Certificate[] = []
  /** One answer per connection, until the authority changes. */
  #known = new WeakMap<TLSSocket, Verified | Refused | "none">()

  constructor(clock: Clock, clientCA: string | undefined) {
    this.#clock = clock
    this.setAuthority(clientCA)
  }

  /**
   * PEM; may hold several certificates. Undefined: no certificate is accepted. The listener must verify by the same;
   * connections that it verified before stay good while what they were verified by is still among these. Throws for
   * an authority whose own issuer is missing: a server's TLS verifies chains up to a root.
   */
  setAuthority(clientCA: string | undefined): void {
    const authorities = parseBundle(clientCA ?? "")
    for (const one of authorities) {
      if (authorities.some((issuer) => one.checkIssued(issuer))) continue
      const name = JSON.stringify(one.subject)
      throw new Error(
        `Cannot verify clients by the authority ${name}: its own issuer is not among the authorities`,
      )
    }
    this.#authorities = authorities
    this.#known = new WeakMap()
  }

  /** A user, nobody (no certificate), or a certificate that is not to be trusted. */
  authenticate({ socket }: Pick<Credentials, "socket">): UserInfo | Refused | undefined {
    if (!socket || this.#authorities.length === 0) return undefined
    let result = this.#known.get(socket)
    if (!result) {
      const leaf = socket.getPeerX509Certificate?.()
      result = leaf ? this.#read(socket, leaf) : "none"
      this.#known.set(socket, result)
    }
    if (result === "none") return undefined
    if ("error" in result) return result
    const now = this.#clock.now()
    if (now < result.notBeforeMs || now > result.notAfterMs)
      return { error: "x509: certificate has expired or is not yet valid" }
    return result.user
  }

  #read(socket: TLSSocket, leaf: X509Certificate): Verified | Refused | "none" {
    if (!socket.authorized) return { error: `x509: ${String(socket.authorizationError)}` }
    const chain = chainOf(leaf)
    if (!this.#isAnchored(chain)) return { error: "x509: certificate signed by unknown authority" }
    const { names, organizations } = subjectOf(leaf)
    const name = names.at(-1)
    if (!name) return "none"
    const credential = `X509SHA256=${leaf.fingerprint256.replaceAll(":", "").toLowerCase()}`
    return {
      user: Object.freeze({
        name,
        groups: Object.freeze([
          ...organizations.filter((group) => group !== allAuthenticated),
          allAuthenticated,
        ]),
        extra: Object.freeze({ "authentication.kubernetes.io/credential-id": Object.freeze([credential]) }),
      }),
      notBeforeMs: Math.max(...chain.map((one) => Date.parse(one.validFrom))),
      notAfterMs: Math.min(...chain.map((one) => Date.parse(one.validTo))),
    }
  }

  /**
   * Whether the chain ends in what is trusted now: the handshake may have been made under other authorities. A
   * resumed connection knows its leaf alone.
   */
  #isAnchored(chain: readonly X509Certificate[]): boolean {
    const last = chain.at(-1)!
    return this.#authorities.some(
      (ca) =>
        chain.some((one) => one.fingerprint256 === ca.fingerprint256) ||
        (last.checkIssued(ca) && last.verify(ca.publicKey)),
    )
  }
}

/** The certificate and those that it was verified by. */
function chainOf(leaf: X509Certificate): X509Certificate[] {
  const chain = [leaf]
  for (let next = leaf.issuerCertificate; next && chain.length < maxDepth; next = next.issuerCertificate) {
    if (next.fingerprint256 === chain.at(-1)!.fingerprint256) break
    chain.push(next)
  }
  return chain
}

function parseBundle(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? []
  return blocks.map((block) => new X509Certificate(block))
}

/** Several values of one attribute in their order. */
function subjectOf(certificate: X509Certificate): { names: string[]; organizations: string[] } {
  const subject = certificate.toLegacyObject().subject as unknown as Record<
    string,
    string | string[] | undefined
  >
  const list = (value: string | string[] | undefined): string[] =>
    value === undefined ? [] : typeof value === "string" ? [value] : value
  return { names: list(subject["CN"]), organizations: list(subject["O"]) }
}
