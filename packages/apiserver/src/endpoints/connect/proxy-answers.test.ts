import assert from "node:assert/strict"
import { connect as connectHttp2, type ClientHttp2Session } from "node:http2"
import { after, before, describe, it } from "node:test"
import {
  outsideAddress,
  startRawServer,
  startStreamFixture,
  type RawServer,
  type StreamFixture,
} from "./testing.ts"

interface Seen {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
  /** The answer did not come to its end. */
  readonly broken: boolean
}

const plain = "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"
/** Whatever a back end may answer, and what its client is told over HTTP/1.1 and HTTP/2. 0: the answer breaks off. */
const answers: readonly (readonly [name: string, bytes: string, http1: number, http2: number])[] = [
  ["200", `HTTP/1.1 200 OK\r\n${plain}`, 200, 200],
  ["404", `HTTP/1.1 404 No\r\n${plain}`, 404, 404],
  ["099", `HTTP/1.1 099 x\r\n${plain}`, 503, 503],
  ["000", `HTTP/1.1 000 x\r\n${plain}`, 503, 503],
  ["600", `HTTP/1.1 600 x\r\n${plain}`, 600, 503],
  ["999", `HTTP/1.1 999 x\r\n${plain}`, 999, 503],
  ["1000", `HTTP/1.1 1000 x\r\n${plain}`, 503, 503],
  ["no number", `HTTP/1.1 abc x\r\n${plain}`, 503, 503],
  [
    "an unsolicited 101",
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nbytes",
    503,
    503,
  ],
  ["a bare 101", "HTTP/1.1 101 Switching Protocols\r\n\r\nbytes", 503, 503],
  ["100 and then 200", `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n${plain}`, 200, 200],
  ["103 and then 200", `HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n${plain}`, 200, 200],
  ["no HTTP", "SSH-2.0-OpenSSH_9.9\r\n", 503, 503],
  ["a NUL in a header", "HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 0\r\n\r\n", 503, 503],
  [
    "a header that HTTP/2 forbids",
    `HTTP/1.1 200 OK\r\nHTTP2-Settings: x\r\nProxy-Connection: close\r\n${plain}`,
    200,
    200,
  ],
  [
    "many of what must be one",
    `HTTP/1.1 200 OK\r\nETag: a\r\nETag: b\r\nAge: 1\r\nAge: 2\r\n${plain}`,
    200,
    200,
  ],
  ["bytes above ASCII in a header", `HTTP/1.1 200 OK\r\nX-A: caf\xe9\r\n${plain}`, 200, 200],
  ["heads without end", `HTTP/1.1 200 OK\r\nX-A: ${"a".repeat(200_000)}\r\n${plain}`, 503, 503],
  ["two lengths", `HTTP/1.1 200 OK\r\nContent-Length: 3\r\n${plain}`, 503, 503],
  ["a body that breaks off", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok", 0, 0],
  ["a bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n", 0, 0],
  [
    "a bad trailer",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\0bad\r\n\r\n",
    0,
    0,
  ],
  [
    "a trailer",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n",
    200,
    200,
  ],
  ["204 with a body", `HTTP/1.1 204 No Content\r\n${plain}`, 204, 204],
  ["304 with a body", `HTTP/1.1 304 Not Modified\r\n${plain}`, 304, 304],
  ["nothing", "", 503, 503],
]

describe(
  "What a back end answers",
  { skip: outsideAddress === undefined && "needs an address that is not loopback" },
  () => {
    let backend: RawServer
    let fixture: StreamFixture
    let session: ClientHttp2Session
    let asked: string[] = []
    let bytes: string | undefined

    before(async () => {
      backend = await startRawServer(outsideAddress!, (socket, first) => {
        asked.push(first)
        if (bytes === undefined) socket.resetAndDestroy()
        else socket.end(Buffer.from(bytes, "latin1"))
      })
      fixture = await startStreamFixture(1, { podIP: outsideAddress })
      const { cert, key } = fixture.admin
      session = connectHttp2(`https://127.0.0.1:${fixture.server.port}`, {
        ca: fixture.certificates.ca.cert,
        cert,
        key,
      })
    })
    after(async () => {
      session.destroy()
      await fixture[Symbol.asyncDispose]()
      await backend[Symbol.asyncDispose]()
    })

    const path = (): string => `/api/v1/namespaces/default/pods/p:${backend.port}/proxy/x`

    async function overHttp1(extra = ""): Promise<Seen> {
      const text = await fixture.raw(
        `GET ${path()} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${extra}\r\n`,
        fixture.admin,
      )
      const [head = "", ...rest] = text.split("\r\n\r\n")
      const headers: Record<string, string[]> = {}
      for (const line of head.split("\r\n").slice(1)) {
        const at = line.indexOf(":")
        ;(headers[line.slice(0, at).toLowerCase()] ??= []).push(line.slice(at + 2))
      }
      const body = rest.join("\r\n\r\n")
      const status = Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1] ?? 0)
      const length = headers["content-length"]?.[0]
      const whole = headers["transfer-encoding"]
        ? body.endsWith("0\r\n\r\n")
        : status === 304 || status === 204 || Number(length ?? 0) <= body.length
      return { status, headers, body, broken: !whole }
    }

    function overHttp2(extra: Record<string, string> = {}): Promise<Seen> {
      return new Promise((resolve) => {
        const stream = session.request({ ":path": path(), ...extra })
        let seen: Seen = { status: 0, headers: {}, body: "", broken: false }
        stream.on("response", (headers) => {
          seen = { ...seen, status: Number(headers[":status"]), headers }
        })
        stream.on("data", (chunk: Buffer) => {
          seen = { ...seen, body: seen.body + chunk.toString() }
        })
        stream.on("error", () => {})
        stream.on("close", () => resolve({ ...seen, broken: stream.rstCode !== 0 }))
      })
    }

    for (const [name, text, http1, http2] of answers) {
      it(`${name} is that request's alone`, async () => {
        bytes = text
        for (const [seen, expected] of [
          [await overHttp1(), http1],
          [await overHttp2(), http2],
        ] as const) {
          if (expected === 0) assert.equal(seen.broken, true, JSON.stringify(seen))
          else assert.deepEqual([seen.status, seen.broken], [expected, false], JSON.stringify(seen))
        }
      })
    }

    it("a reset is that request's alone", async () => {
      bytes = undefined
      assert.equal((await overHttp1()).status, 503)
      assert.equal((await overHttp2()).status, 503)
    })

    it("is passed on header by header, but for what is about its own connection", async () => {
      bytes =
        "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nX-End: 1\r\n" +
        plain
      for (const { headers } of [await overHttp1(), await overHttp2()]) {
        assert.deepEqual(headers["set-cookie"], ["a=1", "b=2"])
        assert.deepEqual([headers["x-end"]].flat(), ["1"])
        assert.equal(headers["x-hop"], undefined)
      }
    })

    it("nobody's credentials, and nothing about the client's own connection, reach it", async () => {
      bytes = `HTTP/1.1 200 OK\r\n${plain}`
      asked = []
      await overHttp1(
        "Authorization: Bearer t0ken\r\nImpersonate-User: admin2\r\nImpersonate-Group: system:masters\r\nX-Remote-User: root\r\nX-Remote-Extra-A: b\r\n" +
          "Proxy-Authorization: Basic t0ken\r\nTE: trailers\r\nX-Kept: 1\r\n" +
          "Sec-WebSocket-Protocol: a, base64url.bearer.authorization.k8s.io.dDBrZW4, b\r\n",
      )
      const head = asked.join("").toLowerCase()
      assert.match(head, /x-kept: 1/)
      assert.match(head, /sec-websocket-protocol: a, b\r\n/)
      for (const word of ["authorization", "t0ken", "ddbrzw4", "impersonate", "x-remote", "trailers"])
        assert.ok(!head.includes(word), `${word}: ${head}`)
    })
  },
)
