/** What a pod answers to a probe or a hook ends that probe or hook, and nothing else, and keeps no connection. */
import assert from "node:assert/strict"
import { createServer, type AddressInfo, type Socket } from "node:net"
import { describe, it } from "node:test"
import { deferred, systemClock } from "@knarr/base"
import { createDiskHost } from "../pod-worker/disk-host.ts"
import { createHostProbeNetwork } from "./probe-network.ts"
import type { ProbeAnswer } from "./probe-answer.ts"

const endless = (part: string) => (socket: Socket) => {
  const write = (): void => {
    while (!socket.destroyed && socket.write(part));
  }
  socket.on("drain", write)
  write()
}
const say = (text: string) => (socket: Socket) => void socket.write(text)
const ok = "HTTP/1.1 200 OK\r\n"

interface Case {
  readonly name: string
  readonly answer: (socket: Socket) => void
  readonly probe: ProbeAnswer["result"]
  /** What a hook makes of it; undefined: it fails. */
  readonly hook: number | undefined
}

const cases: readonly Case[] = [
  {
    name: "a body without end",
    answer(socket) {
      socket.write(`${ok}\r\n`)
      endless("x".repeat(9000))(socket)
    },
    probe: "success",
    hook: 200,
  },
  {
    name: "chunks without end",
    answer: (s) => {
      s.write(`${ok}Transfer-Encoding: chunked\r\n\r\n`)
      endless(`1000\r\n${"x".repeat(4096)}\r\n`)(s)
    },
    probe: "success",
    hook: 200,
  },
  {
    name: "a length that never comes",
    answer: say(`${ok}Content-Length: 99999999999\r\n\r\n`),
    probe: "failure",
    hook: 200,
  },
  {
    name: "a length that is none",
    answer: say(`${ok}Content-Length: -1\r\n\r\n`),
    probe: "failure",
    hook: undefined,
  },
  {
    name: "headers without end",
    answer: (s) => {
      s.write(ok)
      endless("a: b\r\n".repeat(500))(s)
    },
    probe: "failure",
    hook: undefined,
  },
  {
    name: "one header without end",
    answer: (s) => {
      s.write(`${ok}a: `)
      endless("x".repeat(4096))(s)
    },
    probe: "failure",
    hook: undefined,
  },
  {
    name: "a status line without end",
    answer: endless("HTTP/1.1 200 ".repeat(300)),
    probe: "failure",
    hook: undefined,
  },
  { name: "a status below 100", answer: say("HTTP/1.1 099 x\r\n\r\n"), probe: "failure", hook: 99 },
  {
    name: "a status above 599",
    answer: say("HTTP/1.1 999 x\r\nContent-Length: 0\r\n\r\n"),
    probe: "failure",
    hook: 999,
  },
  {
    name: "a switch of protocols",
    answer: say("HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"),
    probe: "failure",
    hook: undefined,
  },
  { name: "no HTTP", answer: say("SSH-2.0-OpenSSH\r\n"), probe: "failure", hook: undefined },
  {
    name: "binary",
    answer: (s) => void s.write(Buffer.from([0, 255, 22, 3, 1, 2, 0])),
    probe: "failure",
    hook: undefined,
  },
  { name: "a close without a word", answer: (s) => void s.end(), probe: "failure", hook: undefined },
  { name: "a reset", answer: (s) => void s.resetAndDestroy(), probe: "failure", hook: undefined },
  {
    name: "a redirect to nowhere",
    answer: say("HTTP/1.1 302 x\r\nLocation: http://[::1\r\nContent-Length: 0\r\n\r\n"),
    probe: "warning",
    hook: 302,
  },
  {
    name: "a redirect to a port that is none",
    answer: say("HTTP/1.1 302 x\r\nLocation: //127.0.0.1:99999/\r\nContent-Length: 0\r\n\r\n"),
    probe: "warning",
    hook: 302,
  },
  {
    name: "a redirect to itself",
    answer: say("HTTP/1.1 302 x\r\nLocation: /\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
    probe: "failure",
    hook: 302,
  },
]

async function served(answer: (socket: Socket) => void, ask: (port: number) => Promise<void>): Promise<void> {
  const open = new Set<Socket>()
  const allClosed = deferred()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on("error", () => {})
    socket.once("close", () => {
      open.delete(socket)
      if (open.size === 0) allClosed.resolve()
    })
    socket.once("data", () => answer(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  try {
    await ask((server.address() as AddressInfo).port)
    if (open.size > 0) await allClosed.promise
  } finally {
    for (const socket of open) socket.destroy()
    server.close()
  }
}

describe("an evil answer", () => {
  const signal = new AbortController().signal
  const network = createHostProbeNetwork(systemClock)
  const host = createDiskHost({ clock: systemClock, cgroups: false })
  for (const { name, answer, probe, hook } of cases) {
    it(`to a probe: ${name}`, () =>
      served(answer, async (port) => {
        const target = { scheme: "http" as const, host: "127.0.0.1", port, path: "/", headers: [] }
        // Only what never gets as far is to be waited for.
        const timeoutMs = probe === "failure" ? 50 : 5000
        const { result, output } = await network.http(target, timeoutMs, signal)
        assert.equal(result, probe, output)
        assert.ok(output.length < 20_000, `${output.length} characters`)
      }))
    it(`to a hook: ${name}`, () =>
      served(answer, async (port) => {
        const asked = host.request(
          { url: `http://127.0.0.1:${port}/`, headers: [] },
          AbortSignal.timeout(5000),
        )
        if (hook === undefined) await assert.rejects(asked)
        else assert.equal(await asked, hook)
      }))
    it(`to a gRPC probe: ${name}`, () =>
      served(answer, async (port) => {
        const { result } = await network.grpc({ host: "127.0.0.1", port, service: "" }, 50, signal)
        assert.equal(result, "failure")
      }))
  }
})
