/** What keeps the server from reaching others, in Go's words: clients know them. */
import { messageOf, TimeoutError } from "@knarr/base"
import { ConnectionError } from "@knarr/client"

/** Node's connection errors in Go's words. */
export function dialText(thrown: Error): string {
  const error = thrown instanceof ConnectionError && thrown.cause instanceof Error ? thrown.cause : thrown
  const { code, address, port } = error as NodeJS.ErrnoException & { address?: string; port?: number }
  const to = `dial tcp ${address?.includes(":") ? `[${address}]` : (address ?? "")}:${port ?? ""}`
  switch (code) {
    case "ECONNREFUSED":
      return `${to}: connect: connection refused`
    case "EHOSTUNREACH":
      return `${to}: connect: no route to host`
    case "ENETUNREACH":
      return `${to}: connect: network is unreachable`
    case "ETIMEDOUT":
      return `${to}: i/o timeout`
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
      return "tls: failed to verify certificate: x509: certificate signed by unknown authority"
    case "CERT_HAS_EXPIRED":
      return "tls: failed to verify certificate: x509: certificate has expired or is not yet valid"
    default:
      return error instanceof TimeoutError ? "context deadline exceeded" : messageOf(error)
  }
}
