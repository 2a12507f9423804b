/**
 * From where a request comes: through which proxies, as they say, and the other end of the connection, last. All but that
 * may be made up. Mirrors: apimachinery pkg/util/net/http.go SourceIPs
 */
import { isIP } from "node:net"
import type { Credentials } from "../contract.ts"

export function sourceIPs(request: Pick<Credentials, "headers" | "header" | "socket">): string[] {
  const { headers, socket } = request
  const found: string[] = []
  if (headers["x-forwarded-for"] !== undefined)
    for (const part of [headers["x-forwarded-for"]].flat().join(",").split(",")) {
      const address = part.trim()
      if (isIP(address) !== 0) found.push(address)
    }
  const real = headers["x-real-ip"] === undefined ? "" : request.header("x-real-ip").trim()
  if (isIP(real) !== 0 && !found.includes(real)) found.push(real)
  const remote = (socket?.remoteAddress ?? "").replace(/^::ffff:(?=\d+\.)/, "")
  if (remote !== "" && found.at(-1) !== remote) found.push(remote)
  return found
}
