/**
 * Whether the certificate of a connection is good by authorities that can be replaced while it runs. Whether a chain is
 * good is OpenSSL's verdict, reached in the handshake with all of its rules (purpose of every certificate, path
 * lengths, name constraints, critical extensions); nothing here overrules a refusal.
 * Mirrors: apiserver pkg/authentication/request/x509 (verification)
 */
import { X509Certificate } from "node:crypto"
import type { TLSSocket } from "node:tls"
import type { Clock } from "@knarr/base"
import type { Refused } from "../contract.ts"

/** What is read of a good certificate, once for each connection. */
interface Verified<T> {
  readonly value: T
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

/** More links than a chain of ours ever has. */
const maxDepth = 16

export class ClientChains<T extends object> {
  readonly #clock: Clock
  readonly #read: (leaf: X509Certificate) => T | Refused | undefined
  #authorities: readonly X509Certificate[] = []
  /** One answer per connection, until the authority changes. */
  #known = new WeakMap<TLSSocket, Verified<T> | Refused | "none">()

  /** `read` is asked what a good certificate means; undefined: nothing. */
  constructor(
    clock: Clock,
    authority: string | undefined,
    read: (leaf: X509Certificate) => T | Refused | undefined,
  ) {
    this.#clock = clock
    this.#read = read
    this.setAuthority(authority)
  }

  /**
   * PEM; may hold several certificates. Undefined: no certificate is accepted. The listener must verify by the same;
   * connections that it verified before stay good while what they were verified by is still among these. Throws for
   * an authority whose own issuer is missing: a server's TLS verifies chains up to a root.
   */
  setAuthority(authority: string | undefined): void {
    const authorities = parseBundle(authority ?? "")
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

  /** What the connection's certificate means, nothing (there is none), or why it is not to be trusted. */
  of(socket: TLSSocket | undefined): T | Refused | undefined {
    if (!socket || this.#authorities.length === 0) return undefined
    let result = this.#known.get(socket)
    if (!result) {
      const leaf = socket.getPeerX509Certificate?.()
      result = leaf ? this.#verify(socket, leaf) : "none"
      this.#known.set(socket, result)
    }
    if (result === "none") return undefined
    if ("error" in result) return result
    const now = this.#clock.now()
    if (now < result.notBeforeMs || now > result.notAfterMs)
      return { error: "x509: certificate has expired or is not yet valid" }
    return result.value
  }

  #verify(socket: TLSSocket, leaf: X509Certificate): Verified<T> | Refused | "none" {
    if (!socket.authorized) return { error: `x509: ${String(socket.authorizationError)}` }
    const chain = chainOf(leaf)
    if (!this.#isAnchored(chain)) return { error: "x509: certificate signed by unknown authority" }
    const value = this.#read(leaf)
    if (!value) return "none"
    if ("error" in value) return value
    return {
      value,
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

/** Names and organisations of a certificate; several values of one attribute in their order. */
export function subjectOf(certificate: X509Certificate): { names: string[]; organizations: string[] } {
  const subject = certificate.toLegacyObject().subject as unknown as Record<
    string,
    string | string[] | undefined
  >
  const list = (value: string | string[] | undefined): string[] =>
    value === undefined ? [] : typeof value === "string" ? [value] : value
  return { names: list(subject["CN"]), organizations: list(subject["O"]) }
}
