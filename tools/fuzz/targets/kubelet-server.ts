/**
 * The kubelet's port: paths, queries, headers and upgrades of any form, from the API server and from strangers. A stream
 * is joined only when the runtime agrees; every refusal says so; and the server goes on.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Duplex } from "node:stream"
import { connect } from "node:tls"
import { deferred, systemClock } from "@knarr/base"
import {
  createSimulatedRuntime,
  HttpError,
  SimulatedHost,
  startKubeletServer,
  type KubeletServerDeps,
} from "@knarr/kubelet"
import type { Draw } from "../draw.ts"
import { defineTarget, expect } from "../target.ts"

const root = join(import.meta.dirname, "../../../packages/kubelet/src/server/testdata")
const pem = (name: string): string => readFileSync(join(root, name), "utf8")
const paths = [
  ...[
    "/pods",
    "/runningpods/",
    "/stats/summary?only_cpu_and_memory=x",
    "/metrics",
    "/metrics/cadvisor",
    "/configz",
    "/healthz",
    "/healthz/x",
  ],
  ...[
    "/containerLogs/default/web/a",
    "/containerLogs/default/web/a?follow=1&tailLines=-1&sinceTime=x&limitBytes=0",
    "/logs/",
    "/logs/../../etc/passwd",
  ],
  ...[
    "/logs/a.log",
    "/logs/%2e%2e/%2e%2e/etc/passwd",
    "/exec/default/web/a?command=id&output=1",
    "/attach/default/web/a?input=1",
    "/portForward/default/web?port=80",
  ],
  ...[
    "/run/default/web/a?cmd=id",
    "/exec/a/b/c/d/e",
    "/exec/%ff/b/c",
    "//pods",
    "/",
    "*",
    "http://x/pods",
    "/pods#a",
    "/exec//web/a",
  ],
]
const headers = [
  ...[
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Upgrade: SPDY/3.1",
    "Upgrade: h2c",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  ],
  ...[
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Protocol: v5.channel.k8s.io",
    "X-Stream-Protocol-Version: v4.channel.k8s.io",
    "Authorization: Bearer x",
  ],
  ...[
    "Content-Length: 3",
    "Transfer-Encoding: chunked",
    "Expect: 100-continue",
    "Host: x",
    "Origin: http://x",
  ],
]

function frame(draw: Draw): string {
  const payload = draw.bytes(20)
  const length = draw.chance(0.8) ? payload.length : draw.int(128)
  return String.fromCharCode(draw.int(256), draw.pick([0, 128]) + length) + draw.bytes(10) + payload
}

interface Input {
  readonly anonymous: boolean
  readonly head: string
  readonly frames: string[]
  /** What the runtime's stream server answers an upgrade with. */
  readonly answer: string
}

/** How long a connection that is silent is waited for. */
const patienceMs = 60

export const kubeletServer = defineTarget<Input>({
  name: "kubelet-server",
  quick: 60,
  grows: false,
  async open({ scope, env }) {
    const dir = mkdtempSync(join(tmpdir(), "fuzz-kubelet-"))
    scope.defer(() => rmSync(dir, { recursive: true }))
    writeFileSync(join(dir, "a.log"), "2026-01-01T00:00:00Z stdout F hello\n")
    let answer = ""
    const streams = createServer().on("upgrade", (_, socket: Duplex) => {
      socket.on("error", () => socket.destroy())
      if (answer === "") return void socket.destroy()
      socket.write(Buffer.from(answer, "latin1"))
      socket.pipe(socket)
    })
    await new Promise<void>((resolve) => streams.listen(0, "127.0.0.1", resolve))
    scope.defer(() => {
      streams.closeAllConnections()
      streams.close()
    })
    const url = `http://127.0.0.1:${(streams.address() as AddressInfo).port}/exec/token`
    const known = (pod: { name: string }): string => {
      if (pod.name !== "web") throw new HttpError(404, `pod "${pod.name}" not found`)
      return "id"
    }
    const deps: KubeletServerDeps = {
      env,
      runtime: {
        ...createSimulatedRuntime(new SimulatedHost({ env, podCIDR: "10.0.0.0/24" })),
        exec: async () => ({ url }),
        attach: async () => ({ url }),
        portForward: async () => ({ url }),
        execSync: async () => ({ stdout: Buffer.from("x"), stderr: Buffer.from(""), exitCode: 0 }),
      },
      authenticateToken: async () => undefined,
      authorize: async () => true,
      pods: () => ({ kind: "PodList" }),
      runningPods: async () => ({ kind: "PodList" }),
      containerId: async (pod) => known(pod),
      sandboxId: async (pod) => known(pod),
      logSource: async (pod) => {
        known(pod)
        return { path: join(dir, "a.log"), ended: AbortSignal.abort() }
      },
      statsSummary: async () => ({}),
      metrics: async () => "m 1\n",
      resourceMetrics: async () => "r 1\n",
      probeMetrics: async () => "p 1\n",
      containerMetrics: async () => "c 1\n",
      healthChecks: [],
      configz: () => ({}),
      nodeLogDir: dir,
    }
    const tls = { key: pem("server.key"), cert: pem("server.pem"), clientCA: pem("ca.pem") }
    const server = await startKubeletServer(deps, { tls, port: 0, address: "127.0.0.1" })
    scope.use(server)
    const client = { key: pem("client.key"), cert: pem("client.pem") }

    async function talk(pieces: readonly string[], anonymous: boolean, until?: RegExp): Promise<string> {
      const done = deferred()
      let received = ""
      let timer: Disposable | undefined
      const socket = connect({
        host: "127.0.0.1",
        port: server.port,
        rejectUnauthorized: false,
        ...(anonymous ? {} : client),
      })
      const wait = (): void => {
        timer?.[Symbol.dispose]()
        if (!until) timer = systemClock.timer(patienceMs, done.resolve)
      }
      socket.on("secureConnect", () => {
        for (const piece of pieces) socket.write(Buffer.from(piece, "latin1"))
        wait()
      })
      socket.on("data", (chunk: Buffer) => {
        received += chunk.toString("latin1")
        if (until?.test(received)) done.resolve()
        wait()
      })
      for (const event of ["error", "close", "end"]) socket.on(event, () => done.resolve())
      await done.promise
      timer?.[Symbol.dispose]()
      socket.destroy()
      return received
    }

    return {
      generate(draw) {
        const path = draw.chance(0.4) ? draw.mutate(draw.pick(paths), paths) : draw.pick(paths)
        const lines = [
          `${draw.pick(["GET", "GET", "POST", "PUT", "HEAD", "x"])} ${path} HTTP/1.1`,
          "Host: kubelet",
          ...draw.list(6, () => draw.pick(headers)),
        ]
        if (draw.chance(0.4)) lines.push("Connection: Upgrade", "Upgrade: websocket")
        const head = `${lines.join("\r\n")}\r\n\r\n`
        const answers = [
          "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
          "HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nnot",
          "HTTP/1.1 200 OK\r\n\r\n",
          "HTTP/1.1 099 x\r\n\r\n",
          "garbage",
          "",
        ]
        const answer = draw.pick(answers)
        return {
          anonymous: draw.chance(0.2),
          head: Buffer.from(draw.chance(0.4) ? draw.mutate(head, headers) : head).toString("latin1"),
          frames: draw.list(4, () => frame(draw)),
          answer: Buffer.from(draw.chance(0.3) ? draw.mutate(answer, answers) : answer).toString("latin1"),
        }
      },
      async check(input) {
        if (!Array.isArray(input.frames)) return
        answer = String(input.answer)
        const received = await talk(
          [String(input.head), ...input.frames.map(String)],
          Boolean(input.anonymous),
        )
        const statuses = [...received.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, text]) => Number(text))
        expect(!/root:.*:0:0:/.test(received), "a file outside of the logs is served", input.head)
        const answered = statuses.some((status) => status !== 100 && status < 400)
        expect(!input.anonymous || !answered, "a stranger is answered", received.slice(0, 300))
        const alive = await talk(["GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"], false, /ok$/)
        expect(alive.startsWith("HTTP/1.1 200"), "the server answers no more", alive)
      },
    }
  },
})
