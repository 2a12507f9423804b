/**
 * DNS over UDP. A socket's questions wait in a buffer of the kernel's, and the event loop reads some of each socket in
 * turn: who has a socket of its own is answered whatever others ask.
 */
import { createSocket } from "node:dgram"
import { deferred, messageOf } from "@knarr/base"
import type { Listening } from "./listening.ts"

/**
 * Bytes of questions that wait for the process, as the kernel counts: it gives twice as many, which are 500 small
 * questions, wherever its limit is not lowered.
 */
const bufferBytes = 212_992

/** Listens until the scope ends; port 0 takes any that is free. Returns the port. Rejects when it is taken. */
export async function listenUdp(
  { resolver, shares, env, scope }: Listening,
  address: string,
  port: number,
): Promise<number> {
  const socket = createSocket({
    type: address.includes(":") ? "udp6" : "udp4",
    // Of sockets that share, the kernel may give two the same free port.
    reuseAddr: port !== 0,
    recvBufferSize: bufferBytes,
  })
  const ready = deferred()
  socket.once("error", ready.reject)
  socket.bind(port, address, () => ready.resolve())
  try {
    await ready.promise
  } catch (thrown) {
    socket.close()
    throw thrown
  }
  socket.on("error", (error) => env.log.debug("DNS socket", { err: error.message }))
  let open = true
  const send = (
    answer: Buffer | undefined,
    from: { readonly port: number; readonly address: string },
  ): void => {
    // That a client cannot be reached is its own affair.
    if (answer && open) socket.send(answer, from.port, from.address, () => {})
  }
  socket.on("message", (message, from) => {
    // Port 0 is nobody's; anybody can send from it.
    if (from.port === 0 || !shares.take(from.address)) return
    try {
      const answer = resolver.answer(message, "udp", from.address)
      if (answer instanceof Promise)
        scope.run("question", async () => send(await answer, from), { contained: true })
      else send(answer, from)
    } catch (thrown) {
      env.log.debug("DNS question was not answered", { err: messageOf(thrown) })
    }
  })
  scope.defer(() => {
    open = false
    socket.close()
  })
  return socket.address().port
}
