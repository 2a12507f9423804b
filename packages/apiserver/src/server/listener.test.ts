import assert from "node:assert/strict"
import { connect, type ClientHttp2Session } from "node:http2"
import { Agent, request } from "node:https"
import { describe, it } from "node:test"
import { connect as connectTls } from "node:tls"
import { ClientCertificates } from "../authn/x509.ts"
import { testCertificates, testEnv } from "../testing.ts"
import type { ServerExchange } from "./exchange.ts"
import { listen } from "./listener.ts"
import { respondError } from "./respond.ts"

const certificates = testCertificates()
const admin = certificates.client("admin", "system:masters", "ops")

async function start(
  onRequest: (exchange: ServerExchange) => void,
  takesUpgrade = false,
): Promise<Awaited<ReturnType<typeof listen>>> {
  return listen({
    clock: testEnv.clock,
    log: testEnv.log,
    bindAddresses: ["127.0.0.1"],
    port: 0,
    certificates: { ...certificates.server, clientCA: certificates.ca.cert },
    onRequest,
    takesUpgrade: () => takesUpgrade,
  })
}

interface Answer {
  status: number
  headers: Record<string, unknown>
  body: string
}

function overHttp1(port: number, path: string, body?: Buffer, tls: object = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const r = request(
      {
        host: "127.0.0.1",
        port,
        path,
        method: body ? "POST" : "GET",
        ca: certificates.ca.cert,
        agent: false,
        ...tls,
      },
      (response) => {
        let text = ""
        response.setEncoding("utf8")
        response.on("data", (chunk: string) => (text += chunk))
        response.on("end", () =>
          resolve({ status: response.statusCode!, headers: response.headers, body: text }),
        )
        response.on("error", reject)
      },
    )
    r.on("error", reject)
    r.end(body)
  })
}

function overHttp2(session: ClientHttp2Session, path: string, body?: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ":path": path, ":method": body ? "POST" : "GET" }, { endStream: !body })
    let headers: Record<string, unknown> = {}
    let text = ""
    stream.on("response", (h) => (headers = h))
    stream.setEncoding("utf8")
    stream.on("data", (chunk: string) => (text += chunk))
    stream.on("end", () => resolve({ status: Number(headers[":status"]), headers, body: text }))
    stream.on("error", reject)
    if (body) stream.end(body)
  })
}

describe("listener", () => {
  const users = new ClientCertificates(testEnv.clock, certificates.ca.cert)
  const echo = (exchange: ServerExchange): void => {
    exchange.warnings.push('a "warning"')
    exchange.setHeader("X-Path", exchange.path)
    exchange.body().then(
      (body) => {
        const user = users.authenticate(exchange)
        const text = JSON.stringify({
          method: exchange.method,
          query: exchange.query.get("q"),
          length: body.length,
          user,
        })
        exchange.respond(200, "application/json", text)
      },
      (error: unknown) => respondError(exchange, error),
    )
  }

  it("answers on HTTP/1.1 and HTTP/2 of one port, and knows the client's certificate", async () => {
    const listener = await start(echo)
    const session = connect(`https://127.0.0.1:${listener.port}`, {
      ca: certificates.ca.cert,
      cert: admin.cert,
      key: admin.key,
    })
    try {
      const answers = [
        await overHttp1(listener.port, "/a?q=1", Buffer.from("hello"), { cert: admin.cert, key: admin.key }),
        await overHttp2(session, "/a?q=1", Buffer.from("hello")),
      ]
      for (const answer of answers) {
        assert.equal(answer.status, 200)
        assert.equal(answer.headers["x-path"], "/a")
        assert.equal(answer.headers["warning"], '299 - "a \\"warning\\""')
        const body = JSON.parse(answer.body) as Record<string, { name: string; groups: string[] }>
        assert.deepEqual([body["method"], body["query"], body["length"]], ["POST", "1", 5])
        assert.equal(body["user"]!.name, "admin")
        assert.deepEqual(body["user"]!.groups, ["system:masters", "ops", "system:authenticated"])
      }
      assert.equal(JSON.parse((await overHttp1(listener.port, "/a")).body).user, undefined)
    } finally {
      session.destroy()
      await listener.close(100)
    }
  })

  it("sends so many warnings as headers hold, on every protocol alike", async () => {
    const listener = await start((exchange) => {
      for (let i = 0; i < 1000; i++) exchange.warnings.push(`${i} ${"x".repeat(500)}`)
      exchange.respond(200, "text/plain", "")
    })
    const session = connect(`https://127.0.0.1:${listener.port}`, { ca: certificates.ca.cert })
    try {
      const [one, two] = [await overHttp1(listener.port, "/"), await overHttp2(session, "/")]
      assert.equal(two.status, 200)
      assert.equal(two.headers["warning"], one.headers["warning"])
      assert.equal(String(two.headers["warning"]).split(", ").length, 16)
    } finally {
      session.destroy()
      await listener.close(100)
    }
  })

  it("refuses certificates of another authority", async () => {
    const listener = await start(echo)
    const stranger = testCertificates().client("admin", "system:masters")
    try {
      const answer = await overHttp1(listener.port, "/a", undefined, {
        cert: stranger.cert,
        key: stranger.key,
      })
      assert.match(JSON.parse(answer.body).user.error, /^x509: UNABLE_TO_VERIFY_LEAF_SIGNATURE$/)
    } finally {
      await listener.close(100)
    }
  })

  it("refuses bodies beyond 3 MiB", async () => {
    const listener = await start(echo)
    const session = connect(`https://127.0.0.1:${listener.port}`, { ca: certificates.ca.cert })
    try {
      const answer = await overHttp2(session, "/a", Buffer.alloc(3 * 1024 * 1024 + 1))
      assert.equal(answer.status, 413)
      assert.match(answer.body, /Request entity too large: limit is 3145728/)
    } finally {
      session.destroy()
      await listener.close(100)
    }
  })

  it("streams with back-pressure and tells when the client is gone", async () => {
    const aborted = Promise.withResolvers<void>()
    const listener = await start((exchange) => {
      exchange.signal.addEventListener("abort", () => aborted.resolve())
      const stream = exchange.stream(200, "application/json")
      const chunk = Buffer.alloc(64 * 1024, 32)
      for (let i = 0; i < 1000 && stream.write(chunk); i++);
      assert.ok(stream.pendingBytes > 0)
    })
    const session = connect(`https://127.0.0.1:${listener.port}`, { ca: certificates.ca.cert })
    session.on("error", () => {})
    try {
      const stream = session.request({ ":path": "/watch" })
      stream.on("error", () => {})
      stream.once("response", () => stream.close())
      await aborted.promise
    } finally {
      session.destroy()
      await listener.close(100)
    }
  })

  it("lets requests finish when it closes, and takes no new ones", async () => {
    const begun = Promise.withResolvers<ServerExchange>()
    const listener = await start((exchange) => begun.resolve(exchange))
    const answer = overHttp1(listener.port, "/slow")
    const exchange = await begun.promise
    const closed = listener.close(5_000)
    exchange.respond(200, "text/plain", "done")
    assert.equal((await answer).body, "done")
    await closed
    await assert.rejects(overHttp1(listener.port, "/late"))
  })
})

describe("HTTP/1.1 connections", () => {
  it("answer what was asked before an upgrade, and then the upgrade", async () => {
    const exchanges: ServerExchange[] = []
    let seen = Promise.withResolvers<void>()
    const listener = await start((exchange) => {
      exchanges.push(exchange)
      seen.resolve()
    }, true)
    const socket = connectTls({ host: "127.0.0.1", port: listener.port, ca: certificates.ca.cert })
    let answers = ""
    socket.setEncoding("utf8")
    socket.on("data", (text: string) => (answers += text))
    const closed = new Promise((resolve) => socket.once("close", resolve))
    try {
      socket.write(
        "GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
      )
      await seen.promise
      seen = Promise.withResolvers()
      assert.deepEqual(
        exchanges.map(({ path }) => path),
        ["/a"],
      )
      exchanges[0]!.respond(200, "text/plain", "first")
      await seen.promise
      exchanges[1]!.respond(403, "text/plain", "second")
      await closed
      assert.match(answers, /^HTTP\/1.1 200 OK[^]*firstHTTP\/1.1 403 Forbidden[^]*second$/)
    } finally {
      socket.destroy()
      await listener.close(100)
    }
  })

  it("end when a request that nobody takes comes before an upgrade", async () => {
    for (const first of [
      "PUT / HTTP/1.1\r\nost:\r\n\r\n",
      "PUT / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n",
    ]) {
      const listener = await start(() => {}, true)
      const socket = connectTls({ host: "127.0.0.1", port: listener.port, ca: certificates.ca.cert })
      try {
        const closed = new Promise((resolve) => socket.once("close", resolve))
        socket.on("error", () => {}).resume()
        socket.write(
          `${first}GET /b HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
        )
        await closed
      } finally {
        socket.destroy()
        await listener.close(100)
      }
    }
  })

  it("are kept when a small body was not wanted", async () => {
    const listener = await start((exchange) => exchange.respond(403, "text/plain", "no"))
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: certificates.ca.cert })
    try {
      const kept = new Set<unknown>()
      for (let i = 0; i < 3; i++) {
        const answer = await overHttp1(listener.port, "/x", Buffer.alloc(100_000), { agent })
        assert.deepEqual([answer.status, answer.body], [403, "no"])
        kept.add(answer.headers["connection"])
        kept.add((await overHttp1(listener.port, "/x", undefined, { agent })).headers["connection"])
      }
      assert.deepEqual([...kept], ["keep-alive"])
    } finally {
      agent.destroy()
      await listener.close(100)
    }
  })
})
