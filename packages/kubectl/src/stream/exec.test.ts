/** exec, cp's streams and port-forward against a WebSocket server written by other people (`ws`). */
import assert from "node:assert/strict"
import { createServer } from "node:http"
import { connect, type AddressInfo } from "node:net"
import { Readable, Writable } from "node:stream"
import { after, before, test } from "node:test"
import { seededRandom, systemClock } from "@knarr/base"
import { WebSocketServer, type WebSocket } from "ws"
import { runKubectl } from "../run.ts"

const pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p", namespace: "default" },
  spec: { containers: [{ name: "main" }, { name: "side" }] },
  status: { phase: "Running" },
}
const discovery = {
  kind: "APIGroupDiscoveryList",
  apiVersion: "apidiscovery.k8s.io/v2",
  items: [
    {
      metadata: { name: "" },
      versions: [
        {
          version: "v1",
          resources: [
            {
              resource: "pods",
              responseKind: { group: "", version: "v1", kind: "Pod" },
              scope: "Namespaced",
              singularResource: "pod",
              verbs: ["get"],
            },
          ],
        },
      ],
    },
  ],
}

const http = createServer((request, response) => {
  const url = request.url ?? ""
  const body = url.startsWith("/api/v1/") ? pod : url === "/api" ? discovery : { ...discovery, items: [] }
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body))
})
const sockets = new WebSocketServer({
  server: http,
  handleProtocols: (offered) => [...offered][0] ?? false,
})
let onConnection: (socket: WebSocket, url: string) => void = () => {}
sockets.on("connection", (socket, request) => onConnection(socket, request.url ?? ""))
before(() => new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve)))
after(() => {
  for (const socket of sockets.clients) socket.terminate()
  http.closeAllConnections()
  http.close()
})

async function run(
  args: readonly string[],
  input = "",
  signal = new AbortController().signal,
  onOutput: (text: string) => void = () => {},
): Promise<{ code: number; out: string; err: string }> {
  let out = ""
  let err = ""
  const sink = (add: (text: string) => void): Writable =>
    new Writable({
      write(chunk: Buffer, _, done) {
        add(chunk.toString())
        done()
      },
    })
  const { port } = http.address() as AddressInfo
  const code = await runKubectl(["--server", `http://127.0.0.1:${port}`, ...args], {
    stdin: Readable.from(input === "" ? [] : [Buffer.from(input)]),
    stdout: sink((text) => {
      out += text
      onOutput(text)
    }),
    stderr: sink((text) => (err += text)),
    env: { HOME: "/nonexistent", KUBECONFIG: "/nonexistent/config" },
    signal,
    clock: systemClock,
    random: seededRandom(1),
  })
  return { code, out, err }
}

function frame(channel: number, text: string): Buffer {
  return Buffer.concat([Buffer.from([channel]), Buffer.from(text)])
}

test("exec passes input, output and the exit code", async () => {
  let asked = ""
  onConnection = (socket, url) => {
    asked = url
    let input = ""
    socket.on("message", (data: Buffer) => {
      if (data[0] === 0) input += data.subarray(1).toString()
      if (data[0] !== 255) return
      socket.send(frame(1, `got ${input}`))
      socket.send(frame(2, "oops\n"))
      const causes = [{ reason: "ExitCode", message: "3" }]
      socket.send(
        frame(3, JSON.stringify({ status: "Failure", reason: "NonZeroExitCode", details: { causes } })),
      )
      socket.close(1000)
    })
  }
  const { code, out, err } = await run(["exec", "-i", "p", "-c", "side", "--", "cat", "a b"], "hello\n")
  assert.equal(out, "got hello\n")
  assert.equal(err, "oops\ncommand terminated with exit code 3\n")
  assert.equal(code, 3)
  assert.equal(
    asked,
    "/api/v1/namespaces/default/pods/p/exec?command=cat&command=a+b&container=side&stdin=true&stdout=true&stderr=true",
  )
})

test("exec says which container it took", async () => {
  onConnection = (socket) => {
    socket.send(frame(3, JSON.stringify({ status: "Success" })))
    socket.close(1000)
  }
  const { code, err } = await run(["exec", "p", "--", "true"])
  assert.equal(err, 'Defaulted container "main" out of: main, side\n')
  assert.equal(code, 0)
})

test("exec carries a megabyte", async () => {
  const big = "x".repeat(1 << 20)
  onConnection = (socket) => {
    for (let i = 0; i < big.length; i += 32_768) socket.send(frame(1, big.slice(i, i + 32_768)))
    socket.send(frame(3, JSON.stringify({ status: "Success" })))
    socket.close(1000)
  }
  const { out } = await run(["exec", "p", "-c", "main", "--", "dump"])
  assert.equal(out.length, big.length)
})

test("port-forward carries bytes both ways", async () => {
  onConnection = (socket) => {
    socket.send(Buffer.from([0, 80, 0]))
    socket.send(Buffer.from([1, 80, 0]))
    socket.on("message", (data: Buffer) => socket.send(frame(0, `echo ${data.subarray(1).toString()}`)))
  }
  const stop = new AbortController()
  let answer = ""
  const { out } = await run(
    ["port-forward", "p", ":80", "--address", "127.0.0.1"],
    "",
    stop.signal,
    (text) => {
      const port = /^Forwarding from 127\.0\.0\.1:(\d+) -> 80/.exec(text)?.[1]
      if (port === undefined) return
      const client = connect(Number(port), "127.0.0.1", () => client.write("ping"))
      client.on("data", (data: Buffer) => {
        answer += data.toString()
        client.destroy()
        stop.abort(new Error("done"))
      })
    },
  )
  assert.equal(answer, "echo ping")
  assert.match(out, /^Forwarding from 127\.0\.0\.1:\d+ -> 80\nHandling connection for \d+\n$/)
})
