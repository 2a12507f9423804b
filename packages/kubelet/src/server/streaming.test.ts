import assert from "node:assert/strict"
import { randomBytes } from "node:crypto"
import { readFileSync } from "node:fs"
import { request as httpsRequest } from "node:https"
import { join } from "node:path"
import type { Duplex } from "node:stream"
import { test } from "node:test"
import { env, shellImage, skip, startContainerd } from "../runtime/containerd-fixture.ts"
import { startKubeletServer, type KubeletServerDeps } from "./kubelet-server.ts"

const pem = (name: string): string => readFileSync(join(import.meta.dirname, "testdata", name), "utf8")
const tls = { key: pem("server.key"), cert: pem("server.pem"), clientCA: pem("ca.pem") }

/** A WebSocket session of channels: the first byte of each message is the channel's number. */
class Session {
  readonly #socket: Duplex
  #buffer: Buffer
  readonly received: string[] = []
  readonly #closed: Promise<void>
  #wake: () => void = () => {}

  constructor(socket: Duplex, head: Buffer) {
    this.#socket = socket
    this.#buffer = head
    this.#closed = new Promise((resolve) => socket.once("close", resolve))
    socket.on("data", (data: Buffer) => {
      this.#buffer = Buffer.concat([this.#buffer, data])
      this.#parse()
    })
    socket.on("end", () => socket.end())
    this.#parse()
  }

  static open(port: number, path: string): Promise<Session> {
    return new Promise((resolve, reject) => {
      const request = httpsRequest({
        host: "127.0.0.1",
        port,
        path,
        ca: tls.clientCA,
        key: pem("client.key"),
        cert: pem("client.pem"),
        agent: false,
        headers: {
          connection: "Upgrade",
          upgrade: "websocket",
          "sec-websocket-version": "13",
          "sec-websocket-key": randomBytes(16).toString("base64"),
          "sec-websocket-protocol": "v4.channel.k8s.io",
          origin: "http://localhost",
        },
      })
      request.on("upgrade", (_, socket, head) => resolve(new Session(socket, head)))
      request.on("response", (response) => reject(new Error(`not upgraded: ${response.statusCode}`)))
      request.on("error", reject).end()
    })
  }

  send(channel: number, text: string): void {
    const payload = Buffer.concat([Buffer.from([channel]), Buffer.from(text)])
    assert.ok(payload.length < 126)
    // A mask of zeros is a mask.
    this.#socket.write(Buffer.concat([Buffer.from([0x82, 0x80 | payload.length, 0, 0, 0, 0]), payload]))
  }

  /** Waits until the channel has said something that matches. */
  async until(channel: number, pattern: RegExp): Promise<string> {
    while (!pattern.test(this.received[channel] ?? ""))
      await new Promise<void>((resolve) => (this.#wake = resolve))
    return this.received[channel]!
  }

  closed(): Promise<void> {
    return this.#closed
  }

  end(): void {
    this.#socket.destroy()
  }

  #parse(): void {
    while (this.#buffer.length >= 2) {
      const short = this.#buffer[1]! & 127
      if (short === 126 && this.#buffer.length < 4) break
      const length = short === 126 ? this.#buffer.readUInt16BE(2) : short
      const start = short === 126 ? 4 : 2
      if (this.#buffer.length < start + length) break
      const opcode = this.#buffer[0]! & 15
      const payload = this.#buffer.subarray(start, start + length)
      if (opcode === 2 && payload.length > 0) {
        const channel = payload[0]!
        this.received[channel] = (this.received[channel] ?? "") + payload.toString("latin1", 1)
      }
      this.#buffer = this.#buffer.subarray(start + length)
      this.#wake()
    }
  }
}

test("Exec, attach and port-forward reach a real container", { skip, timeout: 120_000 }, async () => {
  const fixture = await startContainerd()
  try {
    const { runtime } = fixture.containerd
    const call = { signal: fixture.signal }
    const sandboxConfig = { metadata: { name: "web", namespace: "default", uid: "u" } }
    const { podSandboxId } = await runtime.runPodSandbox({ config: sandboxConfig }, call)
    const config = {
      metadata: { name: "main" },
      image: { image: shellImage },
      command: ["/bin/sh", "-c", "httpd -p 8080 -h /; while read line; do echo got $line; done"],
      stdin: true,
    }
    const { containerId } = await runtime.createContainer({ podSandboxId, config, sandboxConfig }, call)
    await runtime.startContainer({ containerId }, call)
    const deps: Partial<KubeletServerDeps> = {
      env,
      runtime,
      authorize: async () => true,
      containerId: async () => containerId,
      sandboxId: async () => podSandboxId,
    }
    await using server = await startKubeletServer(deps as KubeletServerDeps, {
      tls,
      port: 0,
      address: "127.0.0.1",
    })

    const script = encodeURIComponent("read x; echo out $x; echo err >&2; exit 7")
    const command = `command=/bin/sh&command=-c&command=${script}`
    const exec = await Session.open(server.port, `/exec/default/web/main?${command}&input=1&output=1&error=1`)
    exec.send(0, "hello\n")
    assert.equal(await exec.until(1, /\n/), "out hello\n")
    assert.equal(await exec.until(2, /\n/), "err\n")
    const status = JSON.parse(await exec.until(3, /\}$/))
    assert.deepEqual(status.details.causes, [{ reason: "ExitCode", message: "7" }])
    await exec.closed()

    const attach = await Session.open(server.port, "/attach/default/web/main?input=1&output=1")
    attach.send(0, "ping\n")
    await attach.until(1, /got ping\n/)
    attach.end()

    const forward = await Session.open(server.port, "/portForward/default/web?port=8080")
    await forward.until(0, /^\x90\x1f/)
    forward.send(0, "GET /none HTTP/1.0\r\n\r\n")
    assert.match(await forward.until(0, /HTTP\/1\.\d \d+/), /404/)
    forward.end()
  } finally {
    await fixture.dispose()
  }
})
