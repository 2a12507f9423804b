/** Our client before another implementation's server, and before servers that break the rules. */
import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2"
import { createServer, type Socket } from "node:net"
import { join } from "node:path"
import { after, describe, it } from "node:test"
import { createCA, deferred, issueCertificate, systemClock, systemRandom } from "@knarr/base"
import * as grpc from "@grpc/grpc-js"
import { createGrpcClient, type GrpcClient } from "./grpc-client.ts"
import { frameMessage } from "./grpc-frames.ts"
import { GrpcError, grpcCodes } from "./grpc-status.ts"

const dir = mkdtempSync("/tmp/knarr-grpc-")
after(() => rmSync(dir, { recursive: true, force: true }))
let sockets = 0
const socketPath = (): string => join(dir, `${++sockets}.sock`)
const never = new AbortController().signal
const call = { signal: never }
const failsWith = (code: number, message: RegExp) => (thrown: unknown) =>
  thrown instanceof GrpcError && thrown.code === code && message.test(thrown.message)

type Unary = grpc.ServerUnaryCall<Buffer, Buffer>

/** A server whose methods are these, each with raw bytes; disposing it ends it at once. */
async function serve(socket: string, methods: grpc.UntypedServiceImplementation): Promise<Disposable> {
  const server = new grpc.Server({
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
  })
  const raw = { serialize: (b: Buffer) => b, deserialize: (b: Buffer) => b }
  const definition = Object.fromEntries(
    Object.entries(methods).map(([name, handler]) => [
      name,
      {
        path: `/test.Service/${name}`,
        requestStream: false,
        // A handler of a unary call takes a callback.
        responseStream: handler.length === 1,
        requestSerialize: raw.serialize,
        requestDeserialize: raw.deserialize,
        responseSerialize: raw.serialize,
        responseDeserialize: raw.deserialize,
      },
    ]),
  )
  server.addService(definition, methods)
  await new Promise<void>((resolve, reject) =>
    server.bindAsync(`unix:${socket}`, grpc.ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    ),
  )
  return { [Symbol.dispose]: () => server.forceShutdown() }
}

function clientOf(socket: string): GrpcClient & Disposable {
  const client = createGrpcClient({ socket, clock: systemClock })
  return { ...client, [Symbol.dispose]: () => client.close() }
}

const echo = (c: Unary, done: grpc.sendUnaryData<Buffer>): void => done(null, c.request)

describe("a gRPC client", () => {
  it("calls, with metadata, messages of every size and failures in the server's words", async () => {
    const socket = socketPath()
    using _server = await serve(socket, {
      Echo: echo,
      Header: (c: Unary, done: grpc.sendUnaryData<Buffer>) =>
        done(null, Buffer.from(String(c.metadata.get("containerd-namespace")[0]))),
      Fail: (_c: Unary, done: grpc.sendUnaryData<Buffer>) =>
        done({ code: grpc.status.NOT_FOUND, details: "no ünit 100%\nat all" }),
    })
    using client = clientOf(socket)
    for (const length of [0, 1, 100_000, 6 * 1024 * 1024]) {
      const message = Buffer.alloc(length, "abc")
      const answer = await client.unary("/test.Service/Echo", message, call)
      assert.ok(message.equals(answer), `${length} bytes`)
    }
    const named = { ...call, headers: { "containerd-namespace": "k8s.io" } }
    assert.equal(String(await client.unary("/test.Service/Header", Buffer.alloc(0), named)), "k8s.io")
    await assert.rejects(
      client.unary("/test.Service/Fail", Buffer.alloc(0), call),
      failsWith(grpcCodes.notFound, /^no ünit 100%\nat all$/),
    )
    await assert.rejects(
      client.unary("/test.Service/None", Buffer.alloc(0), call),
      failsWith(grpcCodes.unimplemented, /None/),
    )
    const many = await Promise.all(
      Array.from({ length: 300 }, (_, i) => client.unary("/test.Service/Echo", Buffer.from(`${i}`), call)),
    )
    assert.deepEqual(
      many.map(String),
      Array.from({ length: 300 }, (_, i) => `${i}`),
    )
  })

  it("reads streams to their end or their failure", async () => {
    const socket = socketPath()
    using _server = await serve(socket, {
      Count: (c: grpc.ServerWritableStream<Buffer, Buffer>) => {
        for (let i = 0; i < 1000; i++) c.write(Buffer.from(`${i}`))
        c.end()
      },
      Break: (c: grpc.ServerWritableStream<Buffer, Buffer>) => {
        c.write(Buffer.from("one"))
        c.emit("error", { code: grpc.status.ABORTED, details: "broken" })
      },
    })
    using client = clientOf(socket)
    const count = client.stream("/test.Service/Count", Buffer.alloc(0), call)
    const seen: string[] = []
    for (let m = await count.next(never); m; m = await count.next(never)) seen.push(String(m))
    assert.deepEqual(
      seen,
      Array.from({ length: 1000 }, (_, i) => `${i}`),
    )
    assert.equal(await count.next(never), undefined)
    const broken = client.stream("/test.Service/Break", Buffer.alloc(0), call)
    assert.equal(String(await broken.next(never)), "one")
    await assert.rejects(broken.next(never), failsWith(grpcCodes.aborted, /^broken$/))
  })

  it("lets the server wait while nobody reads", async () => {
    const socket = socketPath()
    let sent = 0
    const all = 2000
    using _server = await serve(socket, {
      Echo: echo,
      Flood: (c: grpc.ServerWritableStream<Buffer, Buffer>) => {
        const write = (): void => {
          while (sent < all && c.write(Buffer.alloc(16 * 1024))) sent++
          if (sent < all) sent++
          else c.end()
        }
        c.on("drain", write)
        write()
      },
    })
    using client = clientOf(socket)
    const stream = client.stream("/test.Service/Flood", Buffer.alloc(0), call)
    assert.equal((await stream.next(never))!.length, 16 * 1024)
    for (let i = 0; i < 100; i++) await client.unary("/test.Service/Echo", Buffer.from("x"), call)
    assert.ok(sent < all / 4, `${sent} messages of 16 KiB are on the way`)
    let read = 1
    while (await stream.next(never)) read++
    assert.equal(read, all)
  })

  it("stops at its deadline and at an abort, and the server hears of both", async () => {
    const socket = socketPath()
    const heard: string[] = []
    let said = deferred()
    using _server = await serve(socket, {
      Hang: (c: Unary) => {
        heard.push(c.getDeadline() === Infinity ? "no deadline" : "deadline")
        said.resolve()
        c.on("cancelled", () => {
          heard.push("cancelled")
          said.resolve()
        })
      },
    })
    const hang = (c: GrpcClient, signal: AbortSignal, timeoutMs?: number): Promise<Uint8Array> =>
      c.unary("/test.Service/Hang", Buffer.alloc(0), {
        signal,
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
      })
    using client = clientOf(socket)
    const stop = new AbortController()
    const waiting = hang(client, stop.signal)
    await said.promise
    said = deferred()
    stop.abort(new Error("enough"))
    await assert.rejects(waiting, /enough/)
    await said.promise
    said = deferred()
    const enough = new AbortController()
    const timed = hang(client, enough.signal, 60_000)
    await said.promise
    assert.deepEqual(heard, ["no deadline", "cancelled", "deadline"])
    enough.abort(new Error("enough"))
    await assert.rejects(timed, /enough/)
    await assert.rejects(
      hang(client, never, 20),
      failsWith(grpcCodes.deadlineExceeded, /^context deadline exceeded$/),
    )
    await assert.rejects(hang(client, AbortSignal.abort(new Error("before"))), /before/)
  })

  it("fails at once where nobody listens, and finds whoever comes later", async () => {
    const socket = socketPath()
    using client = clientOf(socket)
    const ask = (): Promise<Uint8Array> => client.unary("/test.Service/Echo", Buffer.from("x"), call)
    await assert.rejects(
      ask(),
      failsWith(
        grpcCodes.unavailable,
        /^connection error: desc = "transport: Error while dialing: dial unix \S+: connect: no such file or directory"$/,
      ),
    )
    {
      using _server = await serve(socket, { Echo: echo })
      assert.equal(String(await ask()), "x")
    }
    await assert.rejects(ask(), failsWith(grpcCodes.unavailable, /./))
    using _again = await serve(socket, { Echo: echo })
    assert.equal(String(await ask()), "x")
    client.close()
    await assert.rejects(ask(), failsWith(grpcCodes.unavailable, /closing/))
  })
})

describe("a gRPC client before a server that breaks the rules", () => {
  const ok = { ":status": 200, "content-type": "application/grpc" }
  const withTrailers = (s: ServerHttp2Stream, trailers: Record<string, string>, body?: Buffer): void => {
    s.respond(ok, { waitForTrailers: true })
    s.on("wantTrailers", () => s.sendTrailers(trailers))
    s.end(body)
  }
  const two = Buffer.concat([frameMessage(Buffer.from("a")), frameMessage(Buffer.from("b"))])
  const huge = Buffer.from([0, 255, 255, 255, 255, 1])
  const cases: readonly {
    readonly name: string
    readonly answer: (stream: ServerHttp2Stream) => void
    readonly code: number
    readonly message: RegExp
  }[] = [
    {
      name: "no message",
      answer: (s) => withTrailers(s, { "grpc-status": "0" }),
      code: grpcCodes.internal,
      message: /not one message/,
    },
    {
      name: "two messages",
      answer: (s) => withTrailers(s, { "grpc-status": "0" }, two),
      code: grpcCodes.internal,
      message: /not one message/,
    },
    {
      name: "half a message",
      answer: (s) => withTrailers(s, { "grpc-status": "0" }, two.subarray(0, 8)),
      code: grpcCodes.internal,
      message: /unexpected EOF/,
    },
    {
      name: "a message of 4 GiB",
      answer: (s) => {
        s.respond(ok)
        s.write(huge)
      },
      code: grpcCodes.resourceExhausted,
      message: /received message larger than max \(4294967295 vs\. 67108864\)/,
    },
    {
      name: "a compressed message",
      answer: (s) => withTrailers(s, { "grpc-status": "0" }, Buffer.from([1, 0, 0, 0, 1, 9])),
      code: grpcCodes.resourceExhausted,
      message: /compressed/,
    },
    {
      name: "no trailers",
      answer: (s) => {
        s.respond(ok)
        s.end(frameMessage(Buffer.from("a")))
      },
      code: grpcCodes.internal,
      message: /without sending trailers/,
    },
    {
      name: "a status that is no number",
      answer: (s) => withTrailers(s, { "grpc-status": "x", "grpc-message": "50%" }),
      code: grpcCodes.unknown,
      message: /^50%$/,
    },
    {
      name: "a status in the head",
      answer: (s) => s.respond({ ...ok, "grpc-status": "9", "grpc-message": "no" }, { endStream: true }),
      code: grpcCodes.failedPrecondition,
      message: /^no$/,
    },
    {
      name: "HTTP's 503",
      answer: (s) => s.respond({ ":status": 503 }, { endStream: true }),
      code: grpcCodes.unavailable,
      message: /503/,
    },
    {
      name: "a refused stream",
      answer: (s) => s.close(7),
      code: grpcCodes.unavailable,
      message: /RST_STREAM with error code: 7/,
    },
    {
      name: "a connection that ends",
      answer: (s) => s.session!.destroy(),
      code: grpcCodes.unavailable,
      message: /error reading from server/,
    },
  ]
  for (const { name, answer, code, message } of cases) {
    it(`gets ${name}`, async () => {
      const server = createHttp2Server().on("stream", (stream: ServerHttp2Stream) => {
        stream.on("error", () => {})
        stream.resume()
        answer(stream)
      })
      const socket = socketPath()
      await new Promise<void>((resolve) => server.listen(socket, resolve))
      using client = clientOf(socket)
      try {
        await assert.rejects(client.unary("/a/b", Buffer.from("x"), call), failsWith(code, message))
      } finally {
        client.close()
        server.close()
      }
    })
  }

  it("gets no HTTP/2 at all", async () => {
    const sockets: Socket[] = []
    const server = createServer((socket) => {
      sockets.push(socket.on("error", () => {}))
      socket.write("HTTP/1.1 400 Bad Request\r\n\r\n")
    })
    const path = socketPath()
    await new Promise<void>((resolve) => server.listen(path, resolve))
    using client = clientOf(path)
    await assert.rejects(
      client.unary("/a/b", Buffer.from("x"), call),
      failsWith(grpcCodes.unavailable, /error reading from server/),
    )
    for (const socket of sockets) socket.destroy()
    server.close()
  })
})

describe("a gRPC client on a TCP port with TLS", () => {
  const year = 365 * 24 * 60 * 60 * 1000
  const span = { notBeforeMs: systemClock.now() - year, notAfterMs: systemClock.now() + year }
  const serial = (): Uint8Array => systemRandom.bytes(16)
  const ca = createCA({ subject: { commonName: "ca" }, serial: serial(), ...span })
  const issue = (usage: "serverAuth" | "clientAuth"): { cert: string; key: string } =>
    issueCertificate(ca, {
      subject: { commonName: usage },
      serial: serial(),
      ...span,
      ipAddresses: ["127.0.0.1"],
      usages: [usage],
    })

  /** Answers each message with itself; ends when the client does. */
  async function serveEcho(): Promise<{ readonly port: number } & Disposable> {
    const server = new grpc.Server()
    const raw = (bytes: Buffer): Buffer => bytes
    server.addService(
      {
        Echo: {
          path: "/test.Service/Echo",
          requestStream: true,
          responseStream: true,
          requestSerialize: raw,
          requestDeserialize: raw,
          responseSerialize: raw,
          responseDeserialize: raw,
        },
      },
      {
        Echo(call: grpc.ServerDuplexStream<Buffer, Buffer>) {
          call.on("data", (message: Buffer) => call.write(message))
          call.on("end", () => call.end())
        },
      },
    )
    const { cert, key } = issue("serverAuth")
    const pair = { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) }
    const credentials = grpc.ServerCredentials.createSsl(Buffer.from(ca.cert), [pair], true)
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync("127.0.0.1:0", credentials, (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    )
    return { port, [Symbol.dispose]: () => server.forceShutdown() }
  }

  it("sends and receives on one stream, and its certificate is asked for", async () => {
    using server = await serveEcho()
    const { cert, key } = issue("clientAuth")
    const at = { host: "127.0.0.1", port: server.port }
    const client = createGrpcClient({
      socket: { ...at, tls: () => ({ ca: ca.cert, cert, key }) },
      clock: systemClock,
      keepAlive: { afterMs: 1000, waitMs: 1000 },
    })
    const stop = new AbortController()
    const stream = client.duplex("/test.Service/Echo", { signal: stop.signal })
    for (const text of ["one", "two", "x".repeat(100_000)]) {
      stream.send(Buffer.from(text))
      assert.equal(Buffer.from((await stream.next(never))!).toString(), text)
    }
    stop.abort(new Error("enough"))
    await assert.rejects(stream.next(never), /enough/)
    client.close()
    for (const tls of [() => ({ ca: ca.cert }), undefined]) {
      const stranger = createGrpcClient({ socket: { ...at, tls }, clock: systemClock })
      await assert.rejects(
        stranger.unary("/test.Service/Echo", Buffer.alloc(1), call),
        failsWith(grpcCodes.unavailable, /./),
      )
      stranger.close()
    }
  })

  it("says of a port where nobody listens that nothing was sent", async () => {
    const client = createGrpcClient({ socket: { host: "127.0.0.1", port: 1 }, clock: systemClock })
    await assert.rejects(client.unary("/test.Service/Echo", Buffer.alloc(1), call), (thrown) => {
      assert.ok(thrown instanceof GrpcError && thrown.unsent)
      assert.match(thrown.message, /dial tcp 127\.0\.0\.1:1: connect: connection refused/)
      return true
    })
    client.close()
  })
})
