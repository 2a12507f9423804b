import assert from "node:assert/strict"
import { createServer, type IncomingMessage, type RequestListener } from "node:http"
import { createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2"
import { createServer as createTcpServer, type AddressInfo, type Server } from "node:net"
import { describe, it } from "node:test"
import { systemClock } from "@knarr/base"
import { createHostProbeNetwork } from "./probe-network.ts"
import { probeHeaders } from "./http-probe.ts"

const network = createHostProbeNetwork(systemClock)
const signal = new AbortController().signal
const host = "127.0.0.1"

async function listening<S extends Server>(server: S, run: (port: number) => Promise<void>): Promise<void> {
  await new Promise<void>((resolve) => server.listen(0, host, () => resolve()))
  try {
    await run((server.address() as AddressInfo).port)
  } finally {
    await new Promise<void>((resolve) => {
      server.close(() => resolve())
      if ("closeAllConnections" in server) (server as { closeAllConnections(): void }).closeAllConnections()
    })
  }
}

const get = (port: number, path = "/", timeoutMs = 1000) =>
  network.http({ scheme: "http", host, port, path, headers: [] }, timeoutMs, signal)

/** A port that was free a moment ago. */
async function closedPort(): Promise<number> {
  let port = 0
  await listening(createTcpServer(), async (found) => void (port = found))
  return port
}

describe("http probes", () => {
  it("judge by status, and follow redirects on the same host only", async () => {
    const seen: IncomingMessage[] = []
    const listener: RequestListener = (request, response) => {
      seen.push(request)
      const url = request.url!
      if (url === "/ok?x=1") response.end("fine")
      else if (url === "/500") response.writeHead(500).end("no")
      else if (url === "/here") response.writeHead(302, { location: "/ok?x=1" }).end()
      else if (url === "/away") response.writeHead(302, { location: "http://elsewhere.invalid/" }).end("bye")
      else if (url === "/loop") response.writeHead(302, { location: "/loop" }).end()
      else if (url === "/304") response.writeHead(304).end()
      else if (url === "/reset") request.socket.resetAndDestroy()
      else if (url === "/slow") return
      else response.writeHead(404).end()
    }
    await listening(createServer(listener), async (port) => {
      assert.deepEqual(await get(port, "/ok?x=1"), { result: "success", output: "fine" })
      assert.equal(seen[0]!.headers["user-agent"], "kube-probe/1.37")
      assert.equal(seen[0]!.headers["accept"], "*/*")
      assert.equal(seen[0]!.headers["connection"], "close")
      assert.equal(seen[0]!.headers["host"], `127.0.0.1:${port}`)
      assert.equal((await get(port, "/500")).output, "HTTP probe failed with statuscode: 500")
      assert.equal((await get(port, "missing")).output, "HTTP probe failed with statuscode: 404")
      assert.equal((await get(port, "/here")).result, "success")
      assert.deepEqual(await get(port, "/away"), {
        result: "warning",
        output: "Probe terminated redirects, Response body: bye",
      })
      assert.equal((await get(port, "/loop")).output, 'Get "/loop": stopped after 10 redirects')
      assert.equal((await get(port, "/304")).result, "warning")
      assert.match((await get(port, "/reset")).output, /: (EOF|read: connection reset by peer)$/)
      const slow = await get(port, "/slow", 30)
      assert.equal(
        slow.output,
        `Get "http://127.0.0.1:${port}/slow": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
      )
      const secure = await network.http({ scheme: "https", host, port, path: "/", headers: [] }, 1000, signal)
      assert.equal(
        secure.output,
        `Get "https://127.0.0.1:${port}/": http: server gave HTTP response to HTTPS client`,
      )
    })
  })

  it("say when nobody listens", async () => {
    const port = await closedPort()
    assert.deepEqual(await get(port), {
      result: "failure",
      output: `Get "http://127.0.0.1:${port}/": dial tcp 127.0.0.1:${port}: connect: connection refused`,
      refused: true,
    })
  })

  it("reject what cannot be sent", async () => {
    const headers = [{ name: "x", value: "\n" }]
    await assert.rejects(network.http({ scheme: "http", host, port: 1, path: "/", headers }, 1000, signal))
    await assert.rejects(
      network.http({ scheme: "http", host: "a b", port: 1, path: "/", headers: [] }, 1000, signal),
    )
  })

  it("send custom headers", async () => {
    assert.deepEqual(
      probeHeaders([
        { name: "x-a", value: "1" },
        { name: "X-A", value: "2" },
        { name: "host", value: "example.com" },
        { name: "Accept", value: "" },
      ]),
      { "x-a": ["1", "2"], Host: "example.com", "User-Agent": "kube-probe/1.37", Connection: "close" },
    )
  })
})

describe("tcp probes", () => {
  it("connect or say why not", async () => {
    await listening(
      createTcpServer((socket) => socket.on("error", () => {})),
      async (port) => {
        assert.equal((await network.tcp(host, port, 1000, signal)).result, "success")
      },
    )
    const port = await closedPort()
    const answer = await network.tcp(host, port, 1000, signal)
    assert.equal(answer.output, `dial tcp 127.0.0.1:${port}: connect: connection refused`)
    assert.equal(answer.refused, true)
  })
})

describe("grpc probes", () => {
  it("ask the health service", async () => {
    const server = createHttp2Server()
    server.on("stream", (stream: ServerHttp2Stream, headers) => {
      const chunks: Buffer[] = []
      stream.on("data", (chunk: Buffer) => chunks.push(chunk))
      stream.on("end", () => {
        const service = Buffer.concat(chunks).subarray(7).toString()
        assert.equal(headers[":path"], "/grpc.health.v1.Health/Check")
        if (service === "hang") return
        const code = service === "none" ? "12" : service === "lost" ? "5" : "0"
        stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true })
        stream.on("wantTrailers", () =>
          stream.sendTrailers({ "grpc-status": code, "grpc-message": "unknown%20service" }),
        )
        if (code === "0") stream.write(Buffer.from([0, 0, 0, 0, 2, 8, service === "bad" ? 2 : 1]))
        stream.end()
      })
    })
    await listening(server as unknown as Server, async (port) => {
      const ask = (service: string, timeoutMs = 1000) =>
        network.grpc({ host, port, service }, timeoutMs, signal)
      assert.deepEqual(await ask(""), { result: "success", output: "service healthy" })
      assert.deepEqual((await ask("bad")).output, 'service unhealthy (responded with "NOT_SERVING")')
      assert.equal(
        (await ask("none")).output,
        "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): unknown service",
      )
      assert.equal(
        (await ask("lost")).output,
        "error: health rpc probe failed: rpc error: code = NotFound desc = unknown service",
      )
      assert.equal((await ask("hang", 50)).output, "timeout: health rpc did not complete within 50ms")
    })
    const port = await closedPort()
    const refused = await network.grpc({ host, port, service: "" }, 1000, signal)
    assert.equal(
      refused.output,
      `timeout: failed to connect service "127.0.0.1:${port}" within 1s: context deadline exceeded`,
    )
    assert.equal(refused.refused, true)
  })
})
