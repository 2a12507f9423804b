import assert from "node:assert/strict"
import { once } from "node:events"
import { request } from "node:https"
import { connect, type Socket } from "node:net"
import { networkInterfaces } from "node:os"
import { describe, it } from "node:test"
import { connect as connectTls } from "node:tls"
import { testCertificates, testEnv } from "../testing.ts"
import { listen, type ConnectionLimits, type Listener } from "./listener.ts"

const certificates = testCertificates()
const outside = Object.values(networkInterfaces())
  .flat()
  .find((a) => a !== undefined && !a.internal && a.family === "IPv4")?.address

async function start(limits: ConnectionLimits): Promise<Listener & AsyncDisposable> {
  const listener = await listen({
    clock: testEnv.clock,
    log: testEnv.log,
    bindAddresses: ["0.0.0.0"],
    port: 0,
    limits,
    certificates: { ...certificates.server, clientCA: certificates.ca.cert },
    onRequest: (exchange) => exchange.respond(200, "text/plain", "ok"),
    takesUpgrade: () => false,
  })
  return Object.assign(listener, { [Symbol.asyncDispose]: () => listener.close(0) })
}

async function open(port: number, host = "127.0.0.1"): Promise<Socket> {
  const socket = connect({ host, port, allowHalfOpen: true })
  socket.on("error", () => {})
  await once(socket, "connect")
  return socket
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request({ host: "127.0.0.1", port, ca: certificates.ca.cert, agent: false }, (response) => {
      response.resume()
      response.on("end", () => resolve(response.statusCode === 200))
    })
    asked.on("error", () => resolve(false))
    asked.end()
  })
}

/** The server has closed its side. */
async function closed(socket: Socket): Promise<void> {
  socket.resume()
  if (!socket.readableEnded && !socket.destroyed)
    await Promise.race([once(socket, "end"), once(socket, "close")])
}

describe("Connections", () => {
  it("that never finish their handshake are closed, whatever they say, and cost nothing afterwards", async () => {
    await using listener = await start({ handshakeMs: 500, handshaking: 6 })
    const silent = [await open(listener.port), await open(listener.port)]
    const saying = await open(listener.port)
    saying.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    const half = await open(listener.port)
    // The beginning of a TLS record.
    half.write(Buffer.from([22, 3, 1, 2, 0, 1]))
    const gone = await open(listener.port)
    gone.end()
    for (const socket of [...silent, saying, half, gone]) {
      await closed(socket)
      socket.destroy()
    }
    // Their places are free again.
    for (let i = 0; i < 10; i++) assert.equal(await answers(listener.port), true)
  })

  it("beyond a bound are closed before TLS, and those that are there go on", async () => {
    await using listener = await start({ total: 3, handshaking: 10 })
    const sockets = [await open(listener.port), await open(listener.port), await open(listener.port)]
    const beyond = await open(listener.port)
    await closed(beyond)
    assert.equal(await answers(listener.port), false)
    sockets[0]!.destroy()
    await once(sockets[0]!, "close")
    while (!(await answers(listener.port)));
    for (const socket of [...sockets, beyond]) socket.destroy()
  })

  it("that only shake hands leave room for those that have", async () => {
    await using listener = await start({ handshaking: 2 })
    const tls = connectTls({ host: "127.0.0.1", port: listener.port, ca: certificates.ca.cert })
    await once(tls, "secureConnect")
    const sockets = [await open(listener.port), await open(listener.port)]
    await closed(await open(listener.port))
    tls.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    const [chunk] = (await once(tls, "data")) as [Buffer]
    assert.match(chunk.toString(), /^HTTP\/1\.1 200/)
    tls.destroy()
    for (const socket of sockets) socket.destroy()
  })

  it(
    "of one address have a bound, loopback has none",
    { skip: !outside && "needs an outside address" },
    async () => {
      await using listener = await start({ perAddress: 1 })
      const one = await open(listener.port, outside)
      await closed(await open(listener.port, outside))
      const local = [await open(listener.port), await open(listener.port)]
      assert.equal(await answers(listener.port), true)
      for (const socket of [one, ...local]) socket.destroy()
    },
  )
})
