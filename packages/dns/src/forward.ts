/**
 * Hands questions about other names to the host's resolvers, as they are. Many questions share a socket, and there
 * are only so many of either. Mirrors: coredns plugin/forward
 */
import { createSocket, type Socket } from "node:dgram"
import { createConnection } from "node:net"
import { readFileSync } from "node:fs"
import { readAddress } from "@knarr/apimachinery"
import { asError, deferred, withTimeout, type Deferred, type Env } from "@knarr/base"
import { FairSlots } from "./fair-slots.ts"

const timeoutMs = 2_000
const slots = { total: 1_024, perSource: 128, waitingPerSource: 128, waiting: 4_096 }
const socketsPerServer = 16
/** As other resolvers do: so many servers of resolv.conf are asked. */
const maxServers = 3
const idleMs = 5_000
/** A socket's port is not kept for longer than this, lest it be guessed. */
const maxQuestionsPerSocket = 256

export interface Forwarder {
  /**
   * The raw answer to a raw question of `source`. Rejects when no resolver answers in time, and at once when that
   * source, or all together, ask too much.
   */
  ask(query: Buffer, transport: "udp" | "tcp", source: string, signal: AbortSignal): Promise<Buffer>
}

/** `servers` are `address` or `address:port`. Tries them in turn. `close` is for when nobody asks any more. */
export function createForwarder(
  servers: readonly string[],
  env: Pick<Env, "clock" | "random">,
): Forwarder & Disposable {
  const shares = new FairSlots(slots)
  const targets = servers.slice(0, maxServers).map((server) => {
    const [host, port] = splitServer(server)
    return { server, host, port, pool: new UdpPool(host, port, env) }
  })
  return {
    async ask(query, transport, source, signal) {
      using slot = await shares.acquire(source, signal)
      if (!slot) throw new Error("Cannot forward the question: too many wait already")
      let failure: unknown = new Error("Cannot forward the question: no resolver is configured")
      for (const { server, host, port, pool } of targets) {
        try {
          return await withTimeout(env.clock, timeoutMs, `resolver ${server}`, signal, (inner) =>
            transport === "udp" ? pool.ask(query, inner) : askTcp(query, host, port, inner),
          )
        } catch (thrown) {
          if (signal.aborted) throw thrown
          failure = thrown
        }
      }
      throw failure
    },
    [Symbol.dispose]() {
      for (const { pool } of targets) pool.close()
    },
  }
}

/** The name servers in a resolv.conf; none when it cannot be read. */
export function resolversOf(file: string): string[] {
  try {
    return [...readFileSync(file, "utf8").matchAll(/^[ \t]*nameserver[ \t]+(\S+)/gm)]
      .map((match) => match[1]!)
      .filter((address) => readAddress(address) !== undefined)
  } catch {
    return []
  }
}

function splitServer(server: string): [string, number] {
  const match = /^(\d+\.\d+\.\d+\.\d+):(\d+)$/.exec(server)
  return match ? [match[1]!, Number(match[2])] : [server, 53]
}

/** A socket that is connected to one server, and the questions that wait on it by the number they were sent with. */
interface Line {
  readonly socket: Socket
  readonly ready: Promise<void>
  readonly waiting: Map<number, Deferred<Buffer>>
  questions: number
  idle: Disposable | undefined
}

class UdpPool {
  readonly #host: string
  readonly #port: number
  readonly #env: Pick<Env, "clock" | "random">
  readonly #lines = new Set<Line>()

  constructor(host: string, port: number, env: Pick<Env, "clock" | "random">) {
    this.#host = host
    this.#port = port
    this.#env = env
  }

  async ask(query: Buffer, signal: AbortSignal): Promise<Buffer> {
    const line = this.#line()
    const answer = deferred<Buffer>()
    // It may fail before it is waited for.
    answer.promise.catch(() => {})
    let id = Buffer.from(this.#env.random.bytes(2)).readUInt16BE(0)
    while (line.waiting.has(id)) id = (id + 1) & 0xffff
    line.waiting.set(id, answer)
    line.questions++
    line.idle?.[Symbol.dispose]()
    const onAbort = (): void => answer.reject(signal.reason)
    signal.addEventListener("abort", onAbort, { once: true })
    try {
      await Promise.race([line.ready, answer.promise])
      const sent = Buffer.from(query)
      sent.writeUInt16BE(id, 0)
      line.socket.send(sent, (error) => error && answer.reject(error))
      const received = Buffer.from(await answer.promise)
      received.writeUInt16BE(query.readUInt16BE(0), 0)
      return received
    } finally {
      signal.removeEventListener("abort", onAbort)
      line.waiting.delete(id)
      if (line.waiting.size === 0) this.#rest(line)
    }
  }

  close(): void {
    for (const line of this.#lines) this.#end(line, new Error("The resolver ends"))
  }

  /** A new socket as long as there may be more, else the one with the fewest questions waiting. */
  #line(): Line {
    const open = [...this.#lines].filter((line) => line.questions < maxQuestionsPerSocket)
    const idle = open.find((line) => line.waiting.size === 0)
    if (idle) return idle
    if (this.#lines.size < socketsPerServer || open.length === 0) {
      // Old ones end with their last question; until then they are too many by a few.
      if (this.#lines.size < 2 * socketsPerServer) return this.#open()
    }
    const candidates = open.length > 0 ? open : [...this.#lines]
    return candidates.reduce((least, line) => (line.waiting.size < least.waiting.size ? line : least))
  }

  #open(): Line {
    const socket = createSocket(this.#host.includes(":") ? "udp6" : "udp4")
    const ready = deferred()
    ready.promise.catch(() => {})
    const line: Line = { socket, ready: ready.promise, waiting: new Map(), questions: 0, idle: undefined }
    this.#lines.add(line)
    const fail = (error: unknown): void => {
      ready.reject(error)
      this.#end(line, asError(error))
    }
    socket.on("error", fail)
    socket.on("message", (message) => {
      // Anything else is not the answer to a question of ours.
      if (message.length >= 12 && (message[2]! & 0x80) !== 0)
        line.waiting.get(message.readUInt16BE(0))?.resolve(message)
    })
    try {
      // Without a route to the server this fails, and nothing may be sent then. Node passes the error on untyped.
      const connected: (error?: Error) => void = (error) => (error ? fail(error) : ready.resolve())
      socket.connect(this.#port, this.#host, connected)
    } catch (thrown) {
      fail(thrown)
    }
    return line
  }

  #rest(line: Line): void {
    if (line.questions >= maxQuestionsPerSocket) this.#end(line, new Error("Nobody waits"))
    else if (this.#lines.has(line))
      line.idle = this.#env.clock.timer(idleMs, () => this.#end(line, new Error("Nobody waits")))
  }

  #end(line: Line, error: Error): void {
    if (!this.#lines.delete(line)) return
    line.idle?.[Symbol.dispose]()
    for (const answer of line.waiting.values()) answer.reject(error)
    line.socket.close()
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
