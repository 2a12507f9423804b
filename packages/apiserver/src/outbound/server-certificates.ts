/**
 * What is asked of the certificates of webhooks beyond what Node asks, and counted of those that are refused.
 * Mirrors: apiserver pkg/util/x509metrics, Go's crypto/x509 (HostnameError)
 */
import { checkServerIdentity, type PeerCertificate } from "node:tls"
import type { Counter, Meter } from "@knarr/base"

const endings =
  "OR the number of connection failures due to the {0} (either/or, based on the runtime environment)"

export class ServerCertificates {
  readonly #missingNames: Counter
  readonly #weak: Counter

  constructor(meter: Meter) {
    this.#missingNames = meter.counter({
      name: "apiserver_webhooks_x509_missing_san_total",
      help: `Counts the number of requests to servers missing SAN extension in their serving certificate ${endings.replace("{0}", "lack of x509 certificate SAN extension missing")}`,
      stability: "BETA",
    })
    this.#weak = meter.counter({
      name: "apiserver_webhooks_x509_insecure_sha1_total",
      help: `Counts the number of requests to servers with insecure SHA1 signatures in their serving certificate ${endings.replace("{0}", "insecure SHA1 signatures")}`,
      stability: "BETA",
    })
  }

  /** As TLS options take it. A common name is no name of a server, as for Go's clients. */
  readonly check = (host: string, certificate: PeerCertificate): Error | undefined => {
    if (certificate.subjectaltname !== undefined) return checkServerIdentity(host, certificate)
    this.#missingNames.add(1)
    return new Error(
      "tls: failed to verify certificate: x509: certificate relies on legacy Common Name field, use SANs instead",
    )
  }

  /** A call has failed. */
  failed(error: Error): void {
    if (error.message.includes("signature digest algorithm too weak")) this.#weak.add(1)
  }
}
