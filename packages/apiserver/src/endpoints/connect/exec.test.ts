import assert from "node:assert/strict"
import { createServer, type Server } from "node:https"
import type { AddressInfo } from "node:net"
import type { Duplex } from "node:stream"
import { after, before, describe, it } from "node:test"
import { inflateSync, constants } from "node:zlib"
import { deferred } from "@knarr/base"
import { WebSocket } from "ws"
import { testCertificates } from "../../testing.ts"
import { startStreamFixture, type StreamFixture } from "./testing.ts"

const certificates = testCertificates()

/** A kubelet's exec endpoint: writes its command to stdout, echoes stdin, then sends a status on the error stream. */
function serveExec(url: string, socket: Duplex): void {
  socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n")
  const streams = new Map<string, number>()
  const types = new Map<number, string>()
  let blocks = Buffer.alloc(0)
  let inflated = 0
  let buffer = Buffer.alloc(0)
  const send = (id: number, text: string, fin: boolean): void => {
    const head = Buffer.alloc(8)
    head.writeUInt32BE(id, 0)
    head.writeUInt32BE(((fin ? 1 : 0) << 24) | text.length, 4)
    socket.write(Buffer.concat([head, Buffer.from(text)]))
  }
  socket.on("error", () => {})
  socket.on("data", (chunk: Buffer) => {
    buffer = Buffer.concat([buffer, chunk])
    while (buffer.length >= 8) {
      const length = buffer.readUIntBE(5, 3)
      if (buffer.length < 8 + length) return
      const frame = buffer.subarray(0, 8 + length)
      buffer = buffer.subarray(8 + length)
      if (frame[0]! & 0x80) {
        const id = frame.readUInt32BE(8)
        // One compression for the whole connection: what is new is behind what was there before.
        blocks = Buffer.concat([blocks, frame.subarray(18)])
        const all = inflateSync(blocks, { finishFlush: constants.Z_SYNC_FLUSH })
        const text = all.subarray(inflated).toString("latin1")
        inflated = all.length
        const type = ["error", "stdin", "stdout", "stderr"].find((name) => text.endsWith(name))!
        streams.set(type, id)
        types.set(id, type)
        if (type === "stderr")
          send(
            streams.get("stdout")!,
            new URL(url, "https://x").searchParams.getAll("command").join(" ") + "\n",
            false,
          )
      } else {
        const id = frame.readUInt32BE(0)
        if (types.get(id) !== "stdin") continue
        if (length > 0) send(streams.get("stdout")!, frame.toString("utf8", 8), false)
        if (frame[4]! & 1) {
          send(streams.get("stdout")!, "", true)
          send(streams.get("stderr")!, "", true)
          send(streams.get("error")!, '{"metadata":{},"status":"Success"}', true)
        }
      }
    }
  })
}

describe("exec", () => {
  let kubelet: Server
  let fixture: StreamFixture
  let asked = ""

  before(async () => {
    kubelet = createServer({ ...certificates.server, ca: certificates.ca.cert, requestCert: true })
    kubelet.on("upgrade", (request, socket) => {
      asked = `${request.method} ${request.url}`
      serveExec(request.url!, socket)
    })
    kubelet.on("request", (request, response) => response.end(`log of ${request.url}`))
    await new Promise<void>((resolve) => kubelet.listen(0, "127.0.0.1", resolve))
    fixture = await startStreamFixture((kubelet.address() as AddressInfo).port, { certificates })
  })

  after(async () => {
    await fixture[Symbol.asyncDispose]()
    kubelet.closeAllConnections()
    await new Promise((resolve) => kubelet.close(resolve))
  })

  function open(query: string, who = fixture.admin): WebSocket {
    const url = `wss://127.0.0.1:${fixture.server.port}/api/v1/namespaces/default/pods/p/exec?${query}`
    return new WebSocket(url, ["v5.channel.k8s.io", "v4.channel.k8s.io"], {
      ca: certificates.ca.cert,
      cert: who.cert,
      key: who.key,
    })
  }

  it("translates WebSocket channels to SPDY streams", async () => {
    const socket = open("command=cat&command=-n&stdin=true&stdout=true&stderr=true")
    const output: Record<number, string> = {}
    const closed = deferred<number>()
    socket.on("message", (data: Buffer) => {
      output[data[0]!] = (output[data[0]!] ?? "") + data.toString("utf8", 1)
    })
    socket.on("close", (code) => closed.resolve(code))
    socket.on("error", (error) => closed.reject(error))
    await new Promise((resolve) => socket.once("open", resolve))
    assert.equal(socket.protocol, "v5.channel.k8s.io")
    socket.send(Buffer.concat([Buffer.from([0]), Buffer.from("hello")]))
    socket.send(Buffer.from([255, 0]))
    assert.equal(await closed.promise, 1000)
    assert.deepEqual(output, { 1: "cat -n\nhello", 3: '{"metadata":{},"status":"Success"}' })
    assert.equal(asked, "POST /exec/default/p/a?input=1&output=1&error=1&command=cat&command=-n")
  })

  it("asks for create even when the request is a GET", async () => {
    const client = fixture.server.client()
    const rules = [{ verbs: ["get"], apiGroups: [""], resources: ["pods/exec"] }]
    const { clusterRole, clusterRoleBinding } = await import("@knarr/api")
    await client.create(clusterRole, {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRole",
      metadata: { name: "peek" },
      rules,
    })
    await client.create(clusterRoleBinding, {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRoleBinding",
      metadata: { name: "peek" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "peek" },
      subjects: [{ kind: "User", name: "eve" }],
    })
    const refused = deferred<number>()
    const socket = open("command=ls&stdout=true", certificates.client("eve"))
    socket.on("unexpected-response", (_request, response) => {
      refused.resolve(response.statusCode ?? 0)
      response.resume()
    })
    socket.on("error", () => {})
    assert.equal(await refused.promise, 403)
  })
})
