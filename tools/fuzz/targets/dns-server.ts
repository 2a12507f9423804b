/** The DNS server over UDP and TCP: whatever comes, it goes on answering, and nothing fails. */
import { createSocket } from "node:dgram"
import { connect } from "node:net"
import packet from "dns-packet"
import { deferred } from "@knarr/base"
import { kinds, service } from "@knarr/api"
import { createControlPlane } from "@knarr/apiserver"
import { createInformerFactory } from "@knarr/client"
import { startDns } from "@knarr/dns"
import { createMemoryStore } from "@knarr/store"
import { signingKey } from "../servers.ts"
import { defineTarget, expect } from "../target.ts"
import { dnsQuestion } from "./dns-messages.ts"

interface Input {
  readonly datagrams: readonly string[]
  /** What a connection sends, in pieces. */
  readonly stream: readonly string[]
}

export const dnsServer = defineTarget<Input>({
  name: "dns-server",
  quick: 100,
  grows: false,
  async open({ scope, env }) {
    const store = scope.use(createMemoryStore({ env }))
    const serviceAccounts = { signingKey: signingKey(), issuers: ["https://kubernetes.default.svc"] }
    const plane = await createControlPlane({ env, store, kinds, scope, serviceAccounts })
    await plane.bootstrap()
    const client = plane.client()
    await client.create(service, {
      metadata: { namespace: "default", name: "web" },
      spec: { clusterIP: "10.96.0.20", ports: [{ name: "http", port: 80, protocol: "TCP" }] },
    })
    const informers = createInformerFactory({ client, scope: scope.child("informers"), env })
    await informers.informer(service).waitForSync(scope.signal)
    // Nobody answers there: what is not ours fails at once.
    const { port } = await startDns({
      informers,
      env,
      scope,
      addresses: ["127.0.0.1"],
      port: 0,
      upstreams: [],
    })
    const question = packet.encode({
      ...{ type: "query", id: 4711, flags: 0x100 },
      questions: [{ type: "A", name: "web.default.svc.cluster.local" }],
    })
    return {
      generate(draw) {
        const one = (): string => {
          const text = dnsQuestion(draw).toString("latin1")
          return draw.chance(0.6) ? draw.mutate(text) : draw.chance(0.1) ? draw.bytes(600) : text
        }
        const framed = (text: string): string => {
          const length = draw.chance(0.9) ? text.length : draw.int(65536)
          return String.fromCharCode((length >> 8) & 255, length & 255) + text
        }
        return { datagrams: draw.list(8, one), stream: draw.list(6, () => framed(one())) }
      },
      async check({ datagrams, stream }) {
        const socket = createSocket("udp4")
        const answered = deferred<Buffer>()
        socket.on("message", (message) => message.readUInt16BE(0) === 4711 && answered.resolve(message))
        socket.on("error", answered.reject)
        try {
          for (const text of datagrams) socket.send(Buffer.from(text, "latin1"), port, "127.0.0.1")
          socket.send(question, port, "127.0.0.1")
          const answer = packet.decode(await answered.promise)
          expect(
            datagrams.some((one) => one.startsWith("\x12\x67")) || answer.answers?.length === 1,
            "the answer is another",
          )
        } finally {
          socket.close()
        }
        if (stream.length > 0) await talk(port, stream)
        const good = await talk(port, [
          `\0${String.fromCharCode(question.length)}${question.toString("latin1")}`,
        ])
        expect(good.length > 2 && good.readUInt16BE(2) === 4711, "TCP is not answered any more")
      },
    }
  },
})

/** What is answered until the connection ends. */
async function talk(port: number, pieces: readonly string[]): Promise<Buffer> {
  const socket = connect({ port, host: "127.0.0.1" })
  const ended = deferred()
  const chunks: Buffer[] = []
  socket.on("data", (chunk: Buffer) => chunks.push(chunk))
  socket.on("error", () => ended.resolve())
  socket.on("close", () => ended.resolve())
  socket.on("end", () => ended.resolve())
  for (const piece of pieces) socket.write(Buffer.from(piece, "latin1"))
  socket.end()
  await ended.promise
  socket.destroy()
  return Buffer.concat(chunks)
}
