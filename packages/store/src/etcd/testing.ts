/** A real etcd of one member for tests, on loopback, in a folder of its own. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { createServer, type AddressInfo } from "node:net"
import { homedir, tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"

const cache = process.env["KNARR_REFERENCE"] ?? join(homedir(), ".cache/knarr-reference")

/** The program: of the Debian package etcd-server, installed or unpacked by the set-up, or the reference's. */
const etcdProgram: string | undefined = [
  ...(process.env["PATH"] ?? "").split(delimiter),
  join(import.meta.dirname, "../../../../node_modules/.cache/etcd-server/usr/bin"),
  join(cache, "bin"),
]
  .map((dir) => join(dir, "etcd"))
  .find((file) => existsSync(file))

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"))
  await Promise.all(servers.map((server) => once(server, "listening")))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

export class TestEtcd implements AsyncDisposable {
  // In memory where that can be had: etcd writes through to the disk all the time.
  readonly #dir = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "knarr-etcd-"))
  readonly #args: readonly string[]
  #ports: readonly number[] = []
  #child: ChildProcess | undefined

  /** `args`: more flags of the program. */
  constructor(args: readonly string[] = []) {
    this.#args = args
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#ports[0]}`
  }

  /** Its data, for programs that read it. */
  get dir(): string {
    return this.#dir
  }

  /** Resolves when it answers. A second call after {@link kill} takes up the same data on the same ports. */
  async start(): Promise<this> {
    if (etcdProgram === undefined) throw new Error("There is no etcd: tools/setup.sh test unpacks Debian's")
    if (this.#ports.length === 0) this.#ports = await freePorts(2)
    const peer = `http://127.0.0.1:${this.#ports[1]}`
    const child = spawn(
      etcdProgram,
      [
        ...["--data-dir", join(this.#dir, "data"), "--log-level", "error"],
        ...["--listen-client-urls", this.endpoint, "--advertise-client-urls", this.endpoint],
        ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
        ...["--initial-cluster", `default=${peer}`, ...this.#args],
      ],
      { stdio: "ignore" },
    )
    this.#child = child
    for (;;) {
      if (child.exitCode !== null) throw new Error(`etcd ended with code ${child.exitCode}`)
      const healthy = await fetch(`${this.endpoint}/health`).then(
        (answer) => answer.ok,
        () => false,
      )
      if (healthy) return this
      await sleep(20)
    }
  }

  /** As a power cut. */
  async kill(): Promise<void> {
    const child = this.#child
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, "exit")
    child.kill("SIGKILL")
    await ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    rmSync(this.#dir, { recursive: true, force: true })
  }
}
