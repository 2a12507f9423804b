/** DNS over TCP: sources share the connections and the answers, so that none keeps others from theirs. */
import { createServer, type Socket } from "node:net"
import { setImmediate } from "node:timers/promises"
import { deferred } from "@knarr/base"
import type { Listening } from "./listening.ts"

const maxConnections = 200
const maxConnectionsPerSource = 20
/** Connections that wait until they are accepted, as far as the kernel's own limit goes. */
const backlog = 4_096
/** A connection that has not brought a whole question for so long is closed. */
const idleTimeoutMs = 10_000
/** Questions of one connection that are answered before others have their turn. */
const questionsPerTurn = 8
/** How long a connection waits whose source has had its share of answers. */
const shareWaitMs = 20

/** Connections by source. */
class Connections {
  readonly #sources = new Map<string, Set<Socket>>()
  #count = 0

  /**
   * Whether one more of the source is let in. When there are too many in all, the oldest connection of the source
   * that has most makes room, unless nobody has more than this one would have.
   */
  admit(source: string, socket: Socket): boolean {
    const own = this.#sources.get(source) ?? new Set()
    if (own.size >= maxConnectionsPerSource) return false
    if (this.#count >= maxConnections) {
      const [first] = [...this.#sources].sort(([, a], [, b]) => b.size - a.size)
      const [name, most] = first!
      if (most.size <= own.size + 1) return false
      const [oldest] = most
      this.#forget(name, oldest!)
      oldest!.destroy()
    }
    own.add(socket)
    this.#sources.set(source, own)
    this.#count++
    socket.once("close", () => this.#forget(source, socket))
    return true
  }

  #forget(source: string, socket: Socket): void {
    const own = this.#sources.get(source)
    if (!own?.delete(socket)) return
    this.#count--
    if (own.size === 0) this.#sources.delete(source)
  }
}

/** Listens until the scope ends. Rejects when the port is taken. */
export async function listenTcp(listening: Listening, address: string, port: number): Promise<void> {
  const { env, scope } = listening
  const connections = new Connections()
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => socket.destroy())
    const source = socket.remoteAddress ?? ""
    if (!connections.admit(source, socket)) return void socket.destroy()
    scope.run("connection", () => serveConnection(listening, socket, source), { contained: true })
  })
  const ready = deferred()
  server.once("error", ready.reject)
  server.listen(port, address, backlog, () => ready.resolve())
  await ready.promise
  server.on("error", (error) => env.log.debug("DNS server", { err: error.message }))
  scope.defer(() => void server.close())
}

async function serveConnection(
  { resolver, shares, env, scope }: Listening,
  socket: Socket,
  source: string,
): Promise<void> {
  const { clock } = env
  let received = Buffer.alloc(0)
  let answered = 0
  const startTimer = (): Disposable => clock.timer(idleTimeoutMs, () => socket.destroy())
  let timer = startTimer()
  const onAbort = (): void => void socket.destroy()
  scope.signal.addEventListener("abort", onAbort)
  try {
    for await (const chunk of socket) {
      received = Buffer.concat([received, chunk as Buffer])
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        timer[Symbol.dispose]()
        timer = startTimer()
        const end = 2 + received.readUInt16BE(0)
        while (!shares.take(source)) await clock.sleep(shareWaitMs, scope.signal)
        if (++answered % questionsPerTurn === 0) await setImmediate()
        if (socket.destroyed) return
        const answer = await resolver.answer(received.subarray(2, end), "tcp", source)
        received = received.subarray(end)
        if (!answer) continue
        const length = Buffer.alloc(2)
        length.writeUInt16BE(answer.length)
        // Who does not read its answers asks no more questions.
        if (!socket.write(Buffer.concat([length, answer])) && !(await drained(socket))) return
      }
    }
  } catch {
    // The client broke the connection off; there is nobody to answer.
  } finally {
    scope.signal.removeEventListener("abort", onAbort)
    timer[Symbol.dispose]()
    socket.destroy()
  }
}

/** Whether the socket can be written to again; false when it was closed. */
function drained(socket: Socket): Promise<boolean> {
  return new Promise((resolve) => {
    if (socket.destroyed) return resolve(false)
    const onDrain = (): void => {
      socket.off("close", onClose)
      resolve(true)
    }
    const onClose = (): void => {
      socket.off("drain", onDrain)
      resolve(false)
    }
    socket.once("drain", onDrain)
    socket.once("close", onClose)
  })
}
