/** Ports for programs that have to be told theirs. */
import { once } from "node:events"
import { createServer, type AddressInfo } from "node:net"

/** Of the loopback: free now, and most likely still when the program begins to listen. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"))
  await Promise.all(servers.map((server) => once(server, "listening")))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
