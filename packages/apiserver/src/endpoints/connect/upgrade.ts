/** Connections that change their protocol: the other side's 101 for the client, and bytes copied both ways. */
import { STATUS_CODES, type IncomingMessage } from "node:http"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import type { Upgrade } from "../../server/exchange.ts"
import type { UpgradedConnection } from "./kubelet.ts"

/** Sends the other side's 101 to the client and joins the two connections until either ends. */
export function splice(client: Upgrade, upstream: UpgradedConnection, signal: AbortSignal): void {
  client.detach()
  client.socket.write(switchingHead(upstream.response))
  if (upstream.head.length > 0) client.socket.write(upstream.head)
  if (client.head.length > 0) upstream.socket.write(client.head)
  join(client.socket, upstream.socket, signal)
}

/** Copies bytes both ways with back-pressure; a half that ends ends the other's writing. */
function join(a: Duplex, b: Duplex, signal: AbortSignal): void {
  const destroy = (): void => {
    a.destroy()
    b.destroy()
  }
  if (signal.aborted || a.destroyed || b.destroyed) return destroy()
  signal.addEventListener("abort", destroy, { once: true })
  const over = (): void => {
    signal.removeEventListener("abort", destroy)
    destroy()
  }
  for (const socket of [a, b]) {
    socket.on("error", over)
    socket.on("close", over)
    if ("setNoDelay" in socket) (socket as Socket).setNoDelay(true)
  }
  a.pipe(b)
  b.pipe(a)
}

function switchingHead(response: IncomingMessage): string {
  let head = `HTTP/1.1 101 ${response.statusMessage || STATUS_CODES[101]}\r\n`
  for (let i = 0; i < response.rawHeaders.length; i += 2)
    head += `${response.rawHeaders[i]}: ${response.rawHeaders[i + 1]}\r\n`
  return `${head}\r\n`
}
