import assert from "node:assert/strict"
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { once } from "node:events"
import { Agent, request as httpsRequest } from "node:https"
import { createServer, type IncomingMessage, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import type { Duplex } from "node:stream"
import { connect } from "node:tls"
import { after, before, test } from "node:test"
import { seededRandom, silentLogger, systemClock, Meter } from "@knarr/base"
import { SimulatedHost } from "../runtime/simulated-host.ts"
import { createSimulatedRuntime } from "../runtime/simulated-runtime.ts"
import type { KubeletAccess } from "./authorization.ts"
import { HttpError } from "./http-error.ts"
import { startKubeletServer, type KubeletServer, type KubeletServerDeps } from "./kubelet-server.ts"

const pem = (name: string): string => readFileSync(join(import.meta.dirname, "testdata", name), "utf8")
const tls = { key: pem("server.key"), cert: pem("server.pem"), clientCA: pem("ca.pem") }
const client = { key: pem("client.key"), cert: pem("client.pem") }

let server: KubeletServer
let streamServer: Server
/** What the stream server says instead of agreeing, byte for byte. */
let refusal: string | undefined
/** What else than upgrades reached the stream server. */
const strays: string[] = []
let dir: string
const accesses: KubeletAccess[] = []
const asked: string[] = []

before(async () => {
  dir = mkdtempSync("/tmp/knarr-server-")
  mkdirSync(join(dir, "sub"))
  writeFileSync(join(dir, "a.log"), "2026-01-01T00:00:00Z stdout F hello\n")
  // Stands for containerd's stream server: greets, then sends back what it gets.
  streamServer = createServer().on("upgrade", (request, socket: Duplex, head) => {
    asked.push(`${request.method} ${request.url} ${request.headers["sec-websocket-protocol"]}`)
    asked.push(String(request.headers["authorization"]))
    if (refusal !== undefined) {
      socket.on("data", (data: Buffer) => strays.push(data.toString()))
      socket.on("end", () => socket.end())
      return void socket.write(refusal)
    }
    socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    socket.write(head)
    socket.pipe(socket)
  })
  streamServer.on("request", (request, response) => {
    strays.push(request.url!)
    response.end("not the kubelet")
  })
  await new Promise<void>((resolve) => streamServer.listen(0, "127.0.0.1", resolve))
  const url = `http://127.0.0.1:${(streamServer.address() as AddressInfo).port}/exec/token`
  const env = { clock: systemClock, random: seededRandom(1), log: silentLogger, meter: new Meter() }
  const simulated = createSimulatedRuntime(new SimulatedHost({ env, podCIDR: "10.0.0.0/24" }))
  const known = (pod: { name: string }, container: string): string => {
    if (pod.name !== "web") throw new HttpError(404, `pod "${pod.name}" not found`)
    return `id-of-${container}`
  }
  const deps: KubeletServerDeps = {
    env,
    runtime: {
      ...simulated,
      exec: async (request) => {
        asked.push(JSON.stringify(request))
        return { url }
      },
      portForward: async (request) => {
        asked.push(JSON.stringify(request))
        return { url }
      },
    },
    authenticateToken: async (token) => (token === "good" ? { name: "prometheus", groups: [] } : undefined),
    async authorize(access) {
      accesses.push(access)
      return access.user.name === "apiserver" || access.subresources.includes("metrics")
    },
    pods: () => ({ kind: "PodList" }),
    runningPods: async () => ({ kind: "PodList" }),
    containerId: async (pod, container) => known(pod, container),
    sandboxId: async (pod) => known(pod, "sandbox"),
    logSource: async (pod, container) => {
      known(pod, container)
      return { path: join(dir, `${container}.log`), ended: AbortSignal.abort() }
    },
    statsSummary: async (onlyCpuAndMemory) => ({ onlyCpuAndMemory }),
    metrics: async () => "m 1\n",
    resourceMetrics: async () => "r 1\n",
    probeMetrics: async () => "p 1\n",
    containerMetrics: async () => "c 1\n",
    healthChecks: [{ name: "syncloop", check: () => undefined }],
    configz: () => ({ kubeletconfig: {} }),
    nodeLogDir: dir,
  }
  server = await startKubeletServer(deps, { tls, port: 0, address: "127.0.0.1" })
})
after(async () => {
  await server.close()
  streamServer.closeAllConnections()
  // Ends only when nobody has left a connection behind.
  await new Promise((resolve) => streamServer.close(resolve))
  rmSync(dir, { recursive: true })
})

interface Answer {
  readonly status: number
  readonly body: string
}

function ask(
  path: string,
  options: { headers?: Record<string, string>; anonymous?: boolean; method?: string } = {},
) {
  return new Promise<Answer>((resolve, reject) => {
    const request = httpsRequest(
      {
        host: "127.0.0.1",
        port: server.port,
        path,
        method: options.method ?? "GET",
        ca: tls.clientCA,
        agent: false,
        headers: options.headers ?? {},
        ...(options.anonymous ? {} : client),
      },
      (response) => {
        let body = ""
        response.setEncoding("utf8").on("data", (text: string) => (body += text))
        response.on("end", () => resolve({ status: response.statusCode!, body }))
      },
    )
    request.on("error", reject).end()
  })
}

test("An upgrade that announces a body is refused, and holds no connection", async () => {
  for (const length of ["Content-Length: 5", "Transfer-Encoding: chunked"])
    for (const path of ["/exec/default/web/main?output=1", "/pods", "/%"]) {
      const socket = connect({ host: "127.0.0.1", port: server.port, ca: tls.clientCA, ...client })
      const head = `POST ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${length}\r\n\r\n`
      socket.write(head)
      const [first] = (await once(socket, "data")) as [Buffer]
      assert.match(first.toString(), /^HTTP\/1\.1 40[05] /, head)
      socket.destroy()
    }
})

test("A path that cannot be read is refused, whoever asks and for whatever", async () => {
  for (const path of ["/%", "/%ff", "/pods/%zz", "/logs/%e0%a4%a", "/exec/default/web/%c0", "//["])
    for (const anonymous of [true, false])
      assert.deepEqual(await ask(path, { anonymous }), { status: 400, body: "400 Bad Request\n" }, path)
})

test("A client needs a certificate of the cluster or a token, and permission", async () => {
  assert.deepEqual(await ask("/pods", { anonymous: true }), { status: 401, body: "Unauthorized\n" })
  const headers = { authorization: "Bearer good" }
  assert.equal((await ask("/metrics", { anonymous: true, headers })).body, "m 1\n")
  assert.deepEqual(await ask("/pods", { anonymous: true, headers }), {
    status: 403,
    body: "Forbidden (user=prometheus, verb=get, resource=nodes, subresource(s)=[pods proxy])\n",
  })
  accesses.length = 0
  assert.equal((await ask("/stats/summary?only_cpu_and_memory=true")).body, '{"onlyCpuAndMemory":true}')
  assert.deepEqual(accesses[0], {
    user: { name: "apiserver", groups: ["system:masters", "second", "system:authenticated"] },
    verb: "get",
    subresources: ["stats"],
    path: "/stats/summary",
  })
})

test("Each path gives what it is for", async () => {
  const cases: [string, number, RegExp][] = [
    ["/pods", 200, /^\{"kind":"PodList"\}$/],
    ["/runningpods/", 200, /PodList/],
    ["/metrics/resource", 200, /^r 1\n$/],
    ["/metrics/probes", 200, /^p 1\n$/],
    ["/metrics/cadvisor", 200, /^c 1\n$/],
    ["/configz", 200, /kubeletconfig/],
    ["/healthz", 200, /^ok$/],
    ["/healthz?verbose", 200, /^\[\+\]ping ok\n\[\+\]syncloop ok\nhealthz check passed\n$/],
    ["/healthz/syncloop", 200, /^ok$/],
    ["/containerLogs/default/web/a", 200, /^hello\n$/],
    ["/containerLogs/default/web/a?tailLines=x", 400, /Unable to decode query/],
    ["/containerLogs/default/web/none", 400, /no such file/],
    ["/containerLogs/default/other/a", 404, /^pod "other" not found\n$/],
    ["/logs/", 200, /<a href="a.log">a.log<\/a>\n<a href="sub\/">/],
    ["/logs/a.log", 200, /stdout F hello/],
    ["/logs/../../etc/passwd", 404, /not found/],
    ["/logs/%2e%2e/%2e%2e/etc/passwd", 404, /not found/],
    ["/exec/default/web/a?command=sh&output=1", 400, /unable to upgrade: missing upgrade headers/],
    ["/nothing", 404, /404 page not found/],
  ]
  for (const [path, status, body] of cases) {
    const answer = await ask(path)
    assert.equal(answer.status, status, path)
    assert.match(answer.body, body, path)
  }
  assert.equal((await ask("/pods", { method: "DELETE" })).status, 405)
})

/** Upgrades, says something, and returns what came back. */
function upgrade(path: string, say: string): Promise<{ status: number; echo: string }> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest({
      host: "127.0.0.1",
      port: server.port,
      path,
      method: "POST",
      ca: tls.clientCA,
      agent: false,
      ...client,
      headers: {
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-protocol": "v4.channel.k8s.io",
        authorization: "Bearer secret",
      },
    })
    request.on("upgrade", (response, socket, head) => {
      let echo = head.toString()
      socket.on("data", (data: Buffer) => (echo += data.toString()))
      socket.on("end", () => resolve({ status: response.statusCode!, echo }))
      socket.end(say)
    })
    request.on("response", (response) => {
      let echo = ""
      response.on("data", (data: Buffer) => (echo += data.toString()))
      response.on("end", () => resolve({ status: response.statusCode!, echo }))
    })
    request.on("error", reject).end()
  })
}

test("Exec and port-forward join the client to the runtime's stream server", async () => {
  asked.length = 0
  const say = "x".repeat(300_000)
  assert.deepEqual(
    await upgrade("/exec/default/web/main?command=ls&command=-l&output=1&error=1&tty=1", say),
    {
      status: 101,
      echo: say,
    },
  )
  assert.deepEqual(JSON.parse(asked[0]!), {
    containerId: "id-of-main",
    cmd: ["ls", "-l"],
    stdin: false,
    stdout: true,
    stderr: false,
    tty: true,
  })
  assert.equal(asked[1], "POST /exec/token v4.channel.k8s.io")
  assert.equal(asked[2], "undefined")
  assert.equal((await upgrade("/portForward/default/web?port=80,81", "hi")).echo, "hi")
  assert.deepEqual(JSON.parse(asked[3]!), { podSandboxId: "id-of-sandbox", port: [80, 81] })
  assert.deepEqual(await upgrade("/exec/default/web/main?command=ls", ""), {
    status: 400,
    echo: "you must specify at least 1 of stdin, stdout, stderr\n",
  })
  assert.equal((await upgrade("/exec/default/other/main?command=ls&output=1", "")).status, 404)
})

test("Only an agreement joins the client to the stream server", async () => {
  const text = "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nno"
  const cases: [refusal: string, status: number][] = [
    [`HTTP/1.1 403 Forbidden\r\n${text}`, 403],
    [`HTTP/1.1 403 Forbidden\r\nConnection: keep-alive\r\n${text}`, 403],
    [`HTTP/1.1 404 Not Found\r\n${text}`, 404],
    [`HTTP/1.1 500 Oops\r\n${text}`, 500],
    [`HTTP/1.1 200 OK\r\n${text}`, 502],
    [`HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\n${text}`, 502],
    [`HTTP/1.1 099 x\r\n${text}`, 502],
    [`HTTP/1.1 999 x\r\n${text}`, 502],
    ["HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n", 502],
    ["SSH-2.0-OpenSSH_9.9\r\n", 502],
  ]
  const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: tls.clientCA, ...client })
  const through = (path: string, headers: Record<string, string>): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const at = { host: "127.0.0.1", port: server.port, path, agent, headers }
      const request = httpsRequest(at, (response) => {
        let body = ""
        response.on("data", (data: Buffer) => (body += data.toString()))
        response.on("end", () => resolve({ status: response.statusCode!, body }))
      })
      request.on("upgrade", (_, socket) => {
        socket.destroy()
        resolve({ status: 101, body: "" })
      })
      request.on("error", reject).end()
    })
  try {
    for (const [words, status] of cases) {
      refusal = words
      strays.length = 0
      const wish = { connection: "Upgrade", upgrade: "SPDY/3.1" }
      for (const path of ["/exec/default/web/main?command=ls&output=1", "/portForward/default/web"]) {
        assert.equal((await through(path, wish)).status, status, words)
        // A client that keeps its connections still speaks to the kubelet.
        assert.equal((await through("/pods", {})).body, '{"kind":"PodList"}', words)
      }
      assert.deepEqual(strays, [], words)
    }
  } finally {
    refusal = undefined
    agent.destroy()
  }
})

test("What follows a request that is refused reaches nobody", async () => {
  refusal = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
  strays.length = 0
  try {
    const socket = connect({ host: "127.0.0.1", port: server.port, ca: tls.clientCA, ...client })
    socket.write(
      "POST /exec/default/web/main?command=ls&output=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n" +
        "Upgrade: SPDY/3.1\r\nContent-Length: 0\r\n\r\nGET /exec/other-token HTTP/1.1\r\nHost: x\r\n\r\n",
    )
    let answer = ""
    socket.on("data", (data: Buffer) => (answer += data.toString()))
    await once(socket, "close")
    assert.match(answer, /^HTTP\/1\.1 403 Forbidden\r\n[^]*Connection: close/)
    assert.deepEqual(strays, [])
  } finally {
    refusal = undefined
  }
})

test("a log whose reader goes away in the middle is closed", { timeout: 30_000 }, async () => {
  const file = join(dir, "long.log")
  writeFileSync(file, `2026-01-01T00:00:00Z stdout F ${"x".repeat(1000)}\n`.repeat(16_000))
  const isOpen = (): boolean =>
    readdirSync("/proc/self/fd").some((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`) === file
      } catch {
        return false
      }
    })
  const request = httpsRequest({
    ...{ host: "127.0.0.1", port: server.port, path: "/containerLogs/default/web/long" },
    ...{ ...client, rejectUnauthorized: false, agent: false },
  }).end()
  const [response] = (await once(request, "response")) as [IncomingMessage]
  response.pause()
  assert.ok(isOpen())
  // What was sent fills the connection, and the server waits for room.
  for (let before = -1; before !== request.socket!.bytesRead;) {
    before = request.socket!.bytesRead
    await systemClock.sleep(50, AbortSignal.timeout(20_000))
  }
  request.destroy()
  while (isOpen()) await new Promise(setImmediate)
})
