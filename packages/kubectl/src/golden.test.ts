/** Whole commands against recorded answers of an API server: the output must be upstream kubectl's, byte for byte. */
import assert from "node:assert/strict"
import { readFileSync, readdirSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { Readable, Writable } from "node:stream"
import { after, before, test } from "node:test"
import { VirtualClock, seededRandom } from "@knarr/base"
import { runKubectl } from "./run.ts"

interface Golden {
  readonly name: string
  readonly args: readonly string[]
  readonly stdout: string
  readonly stderr: string
  readonly code: number
  /** Milliseconds since the epoch. */
  readonly now: number
  readonly answers: Answers
}

/** What the server answered, by method, path and whether a table was asked for. */
type Answers = Readonly<Record<string, { status: number; type: string; body: string }>>

interface Recording {
  /** Discovery, which all commands share. */
  readonly answers: Answers
  readonly commands: readonly Golden[]
}

const dir = new URL("./testdata/", import.meta.url)
const recordings = readdirSync(dir)
  .filter((name) => name.endsWith(".golden.json"))
  .map((name) => JSON.parse(readFileSync(new URL(name, dir), "utf8")) as Recording)

let current: Answers
const server = createServer((request, response) => {
  const table = (request.headers.accept ?? "").includes("as=Table") ? " table" : ""
  const answer = current[`${request.method} ${request.url}${table}`]
  response.writeHead(answer?.status ?? 599, { "content-type": answer?.type ?? "text/plain" })
  response.end(answer?.body ?? `no answer recorded for ${request.method} ${request.url}${table}`)
})

before(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)))
after(() => {
  server.closeAllConnections()
  server.close()
})

function sink(): { stream: Writable; text: () => string } {
  let text = ""
  const write = (chunk: Buffer, _: unknown, done: () => void): void => {
    text += chunk.toString()
    done()
  }
  return { stream: new Writable({ write }), text: () => text }
}

for (const recording of recordings) {
  for (const golden of recording.commands) {
    test(`kubectl ${golden.args.join(" ")}`, async () => {
      current = { ...recording.answers, ...golden.answers }
      const stdout = sink()
      const stderr = sink()
      const { port } = server.address() as AddressInfo
      const code = await runKubectl(["--server", `http://127.0.0.1:${port}`, ...golden.args], {
        stdin: Readable.from([]),
        stdout: stdout.stream,
        stderr: stderr.stream,
        env: { HOME: "/nonexistent", KUBECONFIG: "/nonexistent/config" },
        signal: new AbortController().signal,
        clock: new VirtualClock(golden.now),
        random: seededRandom(1),
      })
      assert.equal(stdout.text(), golden.stdout)
      assert.equal(stderr.text(), golden.stderr)
      assert.equal(code, golden.code)
    })
  }
}
