/** The errors of sockets in the words of Go's `net` package, as events show them. */
import { isIPv6 } from "node:net"

const texts: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset by peer",
  EHOSTUNREACH: "no route to host",
  ENETUNREACH: "network is unreachable",
  ETIMEDOUT: "connection timed out",
  EPIPE: "broken pipe",
  EINVAL: "invalid argument",
  EACCES: "permission denied",
  EADDRNOTAVAIL: "cannot assign requested address",
}

/** `host:port`, an IPv6 address in brackets. */
export function joinHostPort(host: string, port: number | string): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`
}

/** Why a connection to `address` was not made. */
export function dialError(address: string, thrown: unknown): string {
  const { code = "", message, hostname } = thrown as NodeJS.ErrnoException & { hostname?: string }
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return `dial tcp: lookup ${hostname ?? address}: no such host`
  return `dial tcp ${address}: connect: ${texts[code] ?? message}`
}

/** Whether nobody listened, so that nobody noticed the attempt either. */
export function isRefused(thrown: unknown): boolean {
  return (thrown as NodeJS.ErrnoException | undefined)?.code === "ECONNREFUSED"
}

/** Why an open connection broke. */
export function readError(
  connection: { readonly localAddress?: string; readonly localPort?: number } | undefined,
  address: string,
  thrown: unknown,
): string {
  const { code = "", message } = thrown as NodeJS.ErrnoException
  if (message === "socket hang up") return "EOF"
  const local = connection?.localAddress ? joinHostPort(connection.localAddress, connection.localPort!) : ""
  return texts[code] ? `read tcp ${local}->${address}: read: ${texts[code]}` : message
}
