/**
 * Users from client certificates: the common name is the user, the organisations are the groups.
 * Mirrors: apiserver pkg/authentication/request/x509
 */
import { X509Certificate } from "node:crypto"
import type { TLSSocket } from "node:tls"
import type { Clock } from "@knarr/base"
import type { UserInfo } from "../contract.ts"
import { Lru } from "./lru.ts"
import { allAuthenticated } from "./users.ts"

const clientAuthUsage = "1.3.6.1.5.5.7.3.2"
const anyUsage = "2.5.29.37.0"
const maxDepth = 6

interface Verified {
  readonly user: UserInfo
  readonly notBeforeMs: number
  readonly notAfterMs: number
}

/** The answer for one connection: a user, nobody (no certificate), or a certificate that is not to be trusted. */
export type CertificateResult = UserInfo | undefined | { readonly error: string }

/** Verifies client certificates against an authority that can be replaced while it runs. */
export class ClientCertificates {
  readonly #clock: Clock
  #authorities: readonly X509Certificate[] = []
  readonly #verified = new Lru<string, Verified | { readonly error: string }>(4096)
  /** One verification per connection, until the authority changes. */
  #bySocket = new WeakMap<TLSSocket, { readonly fingerprint: string } | { readonly none: true }>()

  constructor(clock: Clock, clientCA: string | undefined) {
    this.#clock = clock
    this.setAuthority(clientCA)
  }

  /** PEM; may hold several certificates. Undefined: no certificate is accepted. */
  setAuthority(clientCA: string | undefined): void {
    this.#authorities = parseBundle(clientCA ?? "")
    this.#verified.clear()
    this.#bySocket = new WeakMap()
  }

  authenticate(socket: TLSSocket | undefined): CertificateResult {
    if (!socket || this.#authorities.length === 0) return undefined
    const known = this.#bySocket.get(socket)
    if (known) {
      if ("none" in known) return undefined
      const result = this.#verified.get(known.fingerprint)
      if (result) return this.#current(result)
    }
    const leaf = socket.getPeerX509Certificate?.()
    if (!leaf) {
      this.#bySocket.set(socket, { none: true })
      return undefined
    }
    const fingerprint = leaf.fingerprint256
    this.#bySocket.set(socket, { fingerprint })
    let result = this.#verified.get(fingerprint)
    if (!result) {
      result = this.#verify(leaf)
      this.#verified.set(fingerprint, result)
    }
    return this.#current(result)
  }

  #current(result: Verified | { readonly error: string }): CertificateResult {
    if ("error" in result) return result
    const now = this.#clock.now()
    if (now < result.notBeforeMs || now > result.notAfterMs)
      return { error: "x509: certificate has expired or is not yet valid" }
    return result.user
  }

  #verify(leaf: X509Certificate): Verified | { readonly error: string } {
    const usages = leaf.keyUsage as string[] | undefined
    if (usages && usages.length > 0 && !usages.includes(clientAuthUsage) && !usages.includes(anyUsage))
      return { error: "x509: certificate specifies an incompatible key usage" }
    let notBeforeMs = Date.parse(leaf.validFrom)
    let notAfterMs = Date.parse(leaf.validTo)
    let current = leaf
    for (let depth = 0; depth < maxDepth; depth++) {
      const issuer = this.#authorities.find((ca) => current.checkIssued(ca) && current.verify(ca.publicKey))
      if (issuer) {
        notBeforeMs = Math.max(notBeforeMs, Date.parse(issuer.validFrom))
        notAfterMs = Math.min(notAfterMs, Date.parse(issuer.validTo))
        const { names, organizations } = subjectOf(leaf)
        const name = names.at(-1)
        if (!name) return { error: "x509: subject common name is empty" }
        const credential = `X509SHA256=${leaf.fingerprint256.replaceAll(":", "").toLowerCase()}`
        const user: UserInfo = Object.freeze({
          name,
          groups: Object.freeze([
            ...organizations.filter((group) => group !== allAuthenticated),
            allAuthenticated,
          ]),
          extra: Object.freeze({ "authentication.kubernetes.io/credential-id": Object.freeze([credential]) }),
        })
        return { user, notBeforeMs, notAfterMs }
      }
      // An intermediate that the client sent along.
      const next = current.issuerCertificate
      if (!next || next.fingerprint256 === current.fingerprint256 || !next.ca) break
      if (!current.checkIssued(next) || !current.verify(next.publicKey)) break
      notBeforeMs = Math.max(notBeforeMs, Date.parse(next.validFrom))
      notAfterMs = Math.min(notAfterMs, Date.parse(next.validTo))
      current = next
    }
    return { error: "x509: certificate signed by unknown authority" }
  }
}

/** The certificates of a PEM text. Throws when one cannot be read. */
export function parseBundle(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? []
  return blocks.map((block) => new X509Certificate(block))
}

/** Node prints one `KEY=value` a line, backslash-escaped, multi-valued parts joined by " + ". */
function subjectOf(certificate: X509Certificate): { names: string[]; organizations: string[] } {
  const subject = certificate.toLegacyObject().subject as unknown as Record<
    string,
    string | string[] | undefined
  >
  const list = (value: string | string[] | undefined): string[] =>
    value === undefined ? [] : typeof value === "string" ? [value] : value
  return { names: list(subject["CN"]), organizations: list(subject["O"]) }
}
