/** Hands questions about other names to the host's resolvers, as they are. */
import { createSocket } from "node:dgram"
import { createConnection } from "node:net"
import { readFileSync } from "node:fs"
import { Semaphore, deferred, withTimeout, type Clock } from "@knarr/base"

const timeoutMs = 2_000
const maxConcurrent = 1_000

export interface Forwarder {
  /** The raw answer to a raw question. Rejects when no resolver answers in time. */
  ask(query: Buffer, transport: "udp" | "tcp", signal: AbortSignal): Promise<Buffer>
}

/** `servers` are `address` or `address:port`. Tries them in turn. */
export function createForwarder(servers: readonly string[], clock: Clock): Forwarder {
  const slots = new Semaphore(maxConcurrent)
  return {
    async ask(query, transport, signal) {
      using _slot = await slots.acquire(signal)
      let failure: unknown = new Error("Cannot forward the question: no resolver is configured")
      for (const server of servers) {
        const [host, port] = splitServer(server)
        try {
          return await withTimeout(clock, timeoutMs, `resolver ${server}`, signal, (inner) =>
            transport === "udp" ? askUdp(query, host, port, inner) : askTcp(query, host, port, inner),
          )
        } catch (thrown) {
          if (signal.aborted) throw thrown
          failure = thrown
        }
      }
      throw failure
    },
  }
}

/** The name servers in a resolv.conf; none when it cannot be read. */
export function resolversOf(file: string): string[] {
  try {
    return [...readFileSync(file, "utf8").matchAll(/^\s*nameserver\s+(\S+)/gm)].map((match) => match[1]!)
  } catch {
    return []
  }
}

function splitServer(server: string): [string, number] {
  const match = /^(\d+\.\d+\.\d+\.\d+):(\d+)$/.exec(server)
  return match ? [match[1]!, Number(match[2])] : [server, 53]
}

async function askUdp(query: Buffer, host: string, port: number, signal: AbortSignal): Promise<Buffer> {
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4")
  const answer = deferred<Buffer>()
  const onAbort = (): void => answer.reject(signal.reason)
  signal.addEventListener("abort", onAbort, { once: true })
  try {
    socket.on("error", answer.reject)
    socket.on("message", (message) => {
      // Anything that does not repeat our id is not the answer to this question.
      if (message.length >= 12 && message.readUInt16BE(0) === query.readUInt16BE(0)) answer.resolve(message)
    })
    socket.connect(port, host, () => socket.send(query))
    return await answer.promise
  } finally {
    signal.removeEventListener("abort", onAbort)
    socket.close()
  }
}

async function askTcp(query: Buffer, host: string, port: number, signal: AbortSignal): Promise<Buffer> {
  const socket = createConnection({ host, port, signal })
  const length = Buffer.alloc(2)
  length.writeUInt16BE(query.length)
  socket.write(Buffer.concat([length, query]))
  let received = Buffer.alloc(0)
  try {
    for await (const chunk of socket) {
      received = Buffer.concat([received, chunk as Buffer])
      if (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0))
        return received.subarray(2, 2 + received.readUInt16BE(0))
    }
    throw new Error(`Resolver ${host} closed the connection`)
  } finally {
    socket.destroy()
  }
}
