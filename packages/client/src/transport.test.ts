import assert from "node:assert/strict"
import { once } from "node:events"
import { constants, type Http2Session, type ServerHttp2Stream } from "node:http2"
import { createServer as createHttpsServer } from "node:https"
import { createServer } from "node:net"
import { describe, test } from "node:test"
import type { TLSSocket } from "node:tls"
import { seededRandom, VirtualClock } from "@knarr/base"
import { WebSocketServer } from "ws"
import { clientIdentity, listen, serverIdentity, startHttp2, startLink } from "./testing.ts"
import { ConnectionError, createTransport, type Transport } from "./transport.ts"
import type { HttpResponse } from "./http-exchange.ts"

const alice = clientIdentity("alice")
const envOf = (clock: VirtualClock) => ({ clock, random: seededRandom(1) })

const ask = (transport: Transport, path = "/", signal?: AbortSignal): Promise<HttpResponse> =>
  transport.request({ method: "GET", path, signal })
const textOf = async (response: HttpResponse | Promise<HttpResponse>): Promise<string> =>
  (await (await response).buffer()).toString()
/** Runs the loop of real events until `done`: what is waited for comes by the network. */
async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setImmediate(resolve))
}
const isLost = (error: unknown): boolean => error instanceof ConnectionError && error.code === "ECONNRESET"

describe("the transport over HTTP/2", () => {
  test("one connection carries many watches and requests", async () => {
    await using peer = await startHttp2()
    peer.onStream((stream, headers) => {
      stream.respond({ ":status": 200, "x-method": headers[":method"] })
      if (headers[":path"] === "/watch") stream.write("first\n")
      else stream.end(headers[":path"])
    })
    using transport = createTransport({ server: peer.url, tls: () => alice })
    const watches = await Promise.all(Array.from({ length: 150 }, () => ask(transport, "/watch")))
    for (const watch of watches) for await (const chunk of watch.body) if (chunk.length > 0) break
    const answer = await ask(transport, "/other?a=b")
    assert.deepEqual([answer.status, answer.headers["x-method"]], [200, "GET"])
    assert.ok(!(":status" in answer.headers))
    assert.equal(await textOf(answer), "/other?a=b")
    assert.equal(peer.sessions.length, 1)
  })

  test("bodies, header values and the path before the API arrive as they were given", async () => {
    await using peer = await startHttp2()
    peer.onStream(async (stream, headers) => {
      const chunks: Buffer[] = []
      for await (const chunk of stream) chunks.push(chunk as Buffer)
      stream.respond({ ":status": 201 })
      const { ":path": path, ":method": method, authorization, "impersonate-group": groups } = headers
      stream.end(JSON.stringify({ path, method, authorization, groups, bytes: Buffer.concat(chunks).length }))
    })
    let token = "one"
    using transport = createTransport({
      server: `${peer.url}/prefix/`,
      tls: () => alice,
      headers: () => ({ authorization: token }),
    })
    const send = async (): Promise<unknown> =>
      JSON.parse(
        await textOf(
          transport.request({
            method: "POST",
            path: "/api",
            headers: { "Impersonate-Group": ["a", "b"], connection: "close" },
            body: Buffer.alloc(1_000_000),
          }),
        ),
      )
    const expected = { path: "/prefix/api", method: "POST", groups: "a, b", bytes: 1_000_000 }
    assert.deepEqual(await send(), { ...expected, authorization: "one" })
    token = "two"
    assert.deepEqual(await send(), { ...expected, authorization: "two" })
  })

  test("a stream that nobody reads stops no other, and an end of one is no end of another", async () => {
    await using peer = await startHttp2()
    const codes: Record<string, number> = {}
    peer.onStream((stream, headers) => {
      const path = headers[":path"]!
      stream.on("error", () => {})
      stream.on("close", () => (codes[path] = stream.rstCode))
      stream.respond({ ":status": 200 })
      if (path === "/endless") stream.write(Buffer.alloc(8 * 1024 * 1024))
      else if (path === "/small") stream.end("small")
      else stream.write("begun")
    })
    using transport = createTransport({ server: peer.url, tls: () => alice })
    await ask(transport, "/endless")
    const stop = new AbortController()
    const aborted = await ask(transport, "/aborted", stop.signal)
    const left = await ask(transport, "/left")
    const watch = await ask(transport, "/watch")
    stop.abort(new Error("enough"))
    await assert.rejects(aborted.buffer(), /enough/)
    for await (const chunk of left.body) if (chunk.length > 0) break
    await until(() => codes["/aborted"] !== undefined && codes["/left"] !== undefined)
    const cancel = constants.NGHTTP2_CANCEL
    assert.deepEqual(codes, { "/aborted": cancel, "/left": cancel })
    assert.equal(await textOf(ask(transport, "/small")), "small")
    for await (const chunk of watch.body) {
      assert.equal(chunk.toString(), "begun")
      break
    }
    await assert.rejects(ask(transport, "/", AbortSignal.abort(new Error("before"))), /before/)
    assert.equal(peer.sessions.length, 1)
  })

  const refusals: Record<string, (stream: ServerHttp2Stream) => void> = {
    "refuses a stream": (stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM),
    "goes away before it looks at a request": (stream) =>
      stream.session!.goaway(constants.NGHTTP2_NO_ERROR, stream.id! - 2),
  }
  for (const [what, refuse] of Object.entries(refusals))
    test(`a request, whatever it is, is sent again when the server ${what}`, async () => {
      await using peer = await startHttp2()
      const sent: string[] = []
      let refused = 0
      peer.onStream((stream, headers) => {
        stream.on("error", () => {})
        if (headers[":path"] === "/watch") return stream.respond({ ":status": 200 })
        sent.push(headers[":method"]!)
        if (refused++ === 0) return refuse(stream)
        stream.respond({ ":status": 200 })
        return stream.end("answered")
      })
      using transport = createTransport({ server: peer.url, tls: () => alice })
      await ask(transport, "/watch")
      assert.equal(await textOf(transport.request({ method: "POST", path: "/", body: "x" })), "answered")
      assert.deepEqual(sent, ["POST", "POST"])
    })

  test("what is always refused is sent seven times, ever later", async () => {
    await using peer = await startHttp2()
    const clock = new VirtualClock()
    const at: number[] = []
    peer.onStream((stream) => {
      at.push(Math.floor(clock.monotonic() / 1000))
      stream.on("error", () => {})
      stream.close(constants.NGHTTP2_REFUSED_STREAM)
    })
    using transport = createTransport({ server: peer.url, tls: () => alice, env: envOf(clock) })
    let end: unknown
    ask(transport).catch((thrown: unknown) => (end = thrown))
    for (const wanted of [2, 3, 4, 5, 6, 7]) {
      await until(() => at.length === wanted)
      while (at.length === wanted && end === undefined) {
        await clock.advance(500)
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    assert.ok(end instanceof ConnectionError)
    assert.equal(at.length, 7)
    assert.equal(at[0], at[1])
    for (const [i, seconds] of [1, 2, 4, 8, 16].entries())
      assert.ok(at[i + 2]! - at[i + 1]! >= seconds, `${at.join(" ")}`)
  })

  test("a server that goes away keeps its watches to their end, and new requests use a new connection", async () => {
    await using peer = await startHttp2()
    const watches: ServerHttp2Stream[] = []
    peer.onStream((stream, headers) => {
      stream.respond({ ":status": 200 })
      if (headers[":path"] === "/watch") watches.push(stream)
      else stream.end("ok")
    })
    using transport = createTransport({ server: peer.url, tls: () => alice })
    const watch = await ask(transport, "/watch")
    watches[0]!.session!.close()
    await until(() => watches[0]!.session!.closed)
    assert.equal(await textOf(ask(transport)), "ok")
    await until(() => peer.sessions.length === 2)
    watches[0]!.end("to the end")
    assert.equal(await textOf(watch), "to the end")
  })

  test("more streams than the server allows on one connection go over another", async () => {
    await using peer = await startHttp2({ settings: { maxConcurrentStreams: 2 } })
    const streams: ServerHttp2Stream[] = []
    peer.onStream((stream) => {
      stream.respond({ ":status": 200 })
      streams.push(stream)
    })
    using transport = createTransport({ server: peer.url, tls: () => alice })
    const watches = await Promise.all([1, 2, 3, 4, 5].map(() => ask(transport)))
    assert.equal(peer.sessions.length, 3)
    streams[0]!.end()
    assert.equal(await textOf(watches[0]!), "")
    await ask(transport)
    assert.equal(peer.sessions.length, 3)
  })

  const ends: Record<string, (stream: ServerHttp2Stream, session: Http2Session) => void> = {
    "a connection that is closed": (_stream, session) => session.destroy(),
    "a connection that is reset": (_stream, session) => (session.socket as TLSSocket).destroy(),
    "a stream that fails in the server": (stream) => stream.destroy(new Error("failed")),
  }
  for (const [what, end] of Object.entries(ends)) {
    test(`${what} in the middle of an answer is an error, not its end`, async () => {
      await using peer = await startHttp2()
      peer.onStream((stream) => {
        stream.on("error", () => {})
        stream.respond({ ":status": 200 })
        stream.write("half")
      })
      using transport = createTransport({ server: peer.url, tls: () => alice })
      const streams = once(peer.server, "stream")
      const answer = await ask(transport)
      const [stream] = (await streams) as [ServerHttp2Stream]
      const read: string[] = []
      await assert.rejects(async () => {
        for await (const chunk of answer.body) {
          read.push(chunk.toString())
          end(stream, stream.session!)
        }
      })
      assert.deepEqual(read, ["half"])
    })
    test(`${what} before the answer is an error`, async () => {
      await using peer = await startHttp2()
      peer.onStream((stream) => {
        stream.on("error", () => {})
        end(stream, stream.session!)
      })
      using transport = createTransport({ server: peer.url, tls: () => alice })
      await assert.rejects(ask(transport), ConnectionError)
    })
  }

  test("a dead link is found by a ping that is not answered, and the next request makes a new connection", async () => {
    await using peer = await startHttp2()
    peer.onStream((stream, headers) => {
      stream.on("error", () => {})
      stream.respond({ ":status": 200 })
      if (headers[":path"] !== "/watch") stream.end("alive")
    })
    await using link = await startLink(peer.url)
    const clock = new VirtualClock()
    using transport = createTransport({ server: link.url, tls: () => alice, env: envOf(clock) })
    const watch = textOf(ask(transport, "/watch"))
    watch.catch(() => {})
    assert.equal(await textOf(ask(transport)), "alive")
    let pings = 0
    peer.sessions[0]!.on("ping", () => pings++)
    for (let i = 0; i < 5; i++) {
      await clock.advance(45_000)
      // Comes after the answer to a ping, on the same connection.
      assert.equal(await textOf(ask(transport)), "alive")
    }
    assert.equal(pings, 5, "a living one answers, and is kept")
    assert.equal(peer.sessions.length, 1)
    link.cut()
    const hanging = ask(transport)
    hanging.catch(() => {})
    await clock.advance(75_000)
    await assert.rejects(hanging, isLost)
    await assert.rejects(watch, /client connection lost/)
    assert.equal(await textOf(ask(transport)), "alive")
    assert.equal(peer.sessions.length, 2)
  })

  test("other certificates make another connection, and the old one ends with its last watch", async () => {
    await using peer = await startHttp2()
    const { sessions } = peer
    const watches: ServerHttp2Stream[] = []
    peer.onStream((stream, headers) => {
      stream.respond({ ":status": 200 })
      if (headers[":path"] === "/watch") watches.push(stream)
      else stream.end((stream.session!.socket as TLSSocket).getPeerCertificate().subject.CN)
    })
    let identity = alice
    using transport = createTransport({ server: peer.url, tls: () => ({ ...identity }) })
    const watch = await ask(transport, "/watch")
    assert.equal(await textOf(ask(transport)), "alice")
    identity = clientIdentity("bob")
    assert.equal(await textOf(ask(transport)), "bob")
    assert.equal(await textOf(ask(transport)), "bob")
    assert.equal(peer.sessions.length, 2)
    assert.ok(!sessions[0]!.destroyed)
    watches[0]!.end("last")
    assert.equal(await textOf(watch), "last")
    await until(() => sessions[0]!.destroyed)
    assert.ok(!sessions[1]!.destroyed)
  })
})

describe("the transport", () => {
  test("a server that does not shake hands is given up after half a minute", async () => {
    const server = createServer()
    const port = await listen(server)
    const clock = new VirtualClock()
    const sockets = once(server, "connection")
    using transport = createTransport({
      server: `https://127.0.0.1:${port}`,
      tls: () => alice,
      env: envOf(clock),
    })
    const asked = ask(transport)
    asked.catch(() => {})
    await sockets
    await clock.advance(30_000)
    await assert.rejects(asked, (error) => error instanceof ConnectionError && error.code === "ETIMEDOUT")
    server.close()
  })

  test("what cannot be reached and what cannot be trusted is a connection error with the system's code", async () => {
    const unused = createServer()
    const port = await listen(unused)
    await new Promise((resolve) => unused.close(resolve))
    using nobody = createTransport({ server: `https://127.0.0.1:${port}`, tls: () => alice })
    await assert.rejects(ask(nobody), (error) => (error as ConnectionError).code === "ECONNREFUSED")
    await using peer = await startHttp2()
    using stranger = createTransport({ server: peer.url, tls: () => ({}) })
    await assert.rejects(ask(stranger), ConnectionError)
    using misnamed = createTransport({ server: peer.url, tls: () => ({ ...alice, servername: "other" }) })
    await assert.rejects(
      ask(misnamed),
      (error) => (error as ConnectionError).code === "ERR_TLS_CERT_ALTNAME_INVALID",
    )
  })

  test("a server without HTTP/2 is asked over HTTP/1.1, and over HTTP/2 once it is another", async () => {
    const server = createHttpsServer({ ...serverIdentity }, (request, response) =>
      response.end(`${request.httpVersion} ${request.url}`),
    )
    const port = await listen(server)
    using transport = createTransport({ server: `https://127.0.0.1:${port}`, tls: () => alice })
    assert.equal(await textOf(ask(transport, "/one")), "1.1 /one")
    assert.equal(await textOf(ask(transport, "/two")), "1.1 /two")
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await assert.rejects(ask(transport, "/three"), ConnectionError)
    await using peer = await startHttp2({}, port)
    peer.onStream((stream) => {
      stream.respond({ ":status": 200 })
      stream.end("2.0")
    })
    assert.equal(await textOf(ask(transport, "/four")), "2.0")
  })

  test("a WebSocket opens over HTTP/1.1, beside the HTTP/2 connection, and a refusal is a response", async () => {
    await using peer = await startHttp2({ allowHTTP1: true })
    peer.onStream((stream) => {
      stream.respond({ ":status": 200 })
      stream.end("2.0")
    })
    const sockets = new WebSocketServer({
      noServer: true,
      handleProtocols: (offered) => [...offered][0] ?? false,
    })
    peer.server.on("upgrade", (request, socket, head) => {
      if (request.url === "/refused")
        return socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
      sockets.handleUpgrade(request, socket, head, (opened) => {
        // Before anybody can have listened.
        opened.send(`${request.headers["x-from"]} ${request.url} ${opened.protocol}`)
        opened.close()
      })
    })
    using transport = createTransport({ server: peer.url, tls: () => alice })
    assert.equal(await textOf(ask(transport)), "2.0")
    const headers = { "x-from": "a" }
    const socket = await transport.webSocket({ method: "GET", path: "/exec?a=b", headers }, ["v5", "v4"])
    assert.ok(!("status" in socket))
    const message = once(socket, "message")
    socket.resume()
    assert.equal(String((await message)[0]), "a /exec?a=b v5")
    await once(socket, "close")
    const refused = await transport.webSocket({ method: "GET", path: "/refused" }, ["v5"])
    assert.ok("status" in refused)
    assert.deepEqual([refused.status, String(await refused.buffer())], [403, "no"])
    const stop = AbortSignal.abort(new Error("stop"))
    await assert.rejects(transport.webSocket({ method: "GET", path: "/", signal: stop }, ["v5"]), /stop/)
  })
})
