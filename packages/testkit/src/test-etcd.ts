/**
 * Real etcds for tests, on loopback, each in a folder of its own: of one member, or of several. All that members say to one
 * another goes through relays, so that one can be cut off.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs"
import { homedir, tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { freePorts } from "./free-ports.ts"
import { PeerRelay } from "./peer-relay.ts"

const cache = process.env["KNARR_REFERENCE"] ?? join(homedir(), ".cache/knarr-reference")

/** The program: of the Debian package etcd-server, installed or unpacked by the set-up, or the reference's. */
const etcdProgram: string | undefined = [
  ...(process.env["PATH"] ?? "").split(delimiter),
  join(import.meta.dirname, "../../../node_modules/.cache/etcd-server/usr/bin"),
  join(cache, "bin"),
]
  .map((dir) => join(dir, "etcd"))
  .find((file) => existsSync(file))

interface Membership {
  readonly name: string
  /** Where it listens for the others. */
  readonly listen: string
  /** Where the others reach it. */
  readonly advertise: string
  /** `--initial-cluster`. */
  readonly all: string
}

export class TestEtcd implements AsyncDisposable {
  // In memory where that can be had: etcd writes through to the disk all the time.
  readonly #dir = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "knarr-etcd-"))
  readonly #args: readonly string[]
  #membership: Membership | undefined
  #port = 0
  #health = 0
  #child: ChildProcess | undefined

  /** `args`: more flags of the program. */
  constructor(args: readonly string[] = [], membership?: Membership) {
    this.#args = args
    this.#membership = membership
  }

  get endpoint(): string {
    const isTls = this.#args.includes("--cert-file")
    return `${isTls ? "https" : "http"}://127.0.0.1:${this.#port}`
  }

  /** Its data, for programs that read it. */
  get dir(): string {
    return this.#dir
  }

  /** Resolves when it answers. A second call after {@link kill} takes up the same data on the same ports. */
  async start(): Promise<this> {
    await this.launch()
    await this.ready()
    return this
  }

  /** Starts the program without waiting for it: one of several answers only when most of them run. */
  async launch(): Promise<void> {
    if (etcdProgram === undefined) throw new Error("There is no etcd: tools/setup.sh test unpacks Debian's")
    if (this.#port === 0) {
      const [port = 0, health = 0, peer = 0] = await freePorts(3)
      this.#port = port
      this.#health = health
      const url = `http://127.0.0.1:${peer}`
      this.#membership ??= { name: "default", listen: url, advertise: url, all: `default=${url}` }
    }
    const { name, listen, advertise, all } = this.#membership!
    const child = spawn(
      etcdProgram,
      [
        ...["--name", name, "--data-dir", join(this.#dir, "data"), "--log-level", "error"],
        ...["--listen-client-urls", this.endpoint, "--advertise-client-urls", this.endpoint],
        ...["--listen-metrics-urls", `http://127.0.0.1:${this.#health}`],
        ...["--listen-peer-urls", listen, "--initial-advertise-peer-urls", advertise],
        ...["--initial-cluster", all, ...this.#args],
      ],
      { stdio: "ignore" },
    )
    this.#child = child
  }

  /** Resolves when it answers, which it does only while it has a leader. */
  async ready(): Promise<void> {
    for (;;) {
      if (!this.#runs) throw new Error(`etcd ended with code ${this.#child?.exitCode}`)
      const healthy = await fetch(`http://127.0.0.1:${this.#health}/health`).then(
        async (answer) => answer.ok && ((await answer.json()) as { health?: string }).health === "true",
        () => false,
      )
      if (healthy) return
      await sleep(20)
    }
  }

  /** One of the metrics that it tells. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.#health}/metrics`)).text()
    return Number(new RegExp(`^${name} (.*)$`, "m").exec(text)?.[1])
  }

  get #runs(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** As a power cut. */
  async kill(): Promise<void> {
    const child = this.#child
    if (!child || !this.#runs) return
    const ended = once(child, "exit")
    child.kill("SIGKILL")
    await ended
  }

  /** It says nothing any more, and its connections stay. */
  pause(): void {
    this.#child?.kill("SIGSTOP")
  }

  resume(): void {
    this.#child?.kill("SIGCONT")
  }

  /** A copy of its data while it does not run; {@link restore} brings it back. */
  copy(): void {
    cpSync(join(this.#dir, "data"), join(this.#dir, "copy"), { recursive: true })
  }

  restore(): void {
    rmSync(join(this.#dir, "data"), { recursive: true })
    cpSync(join(this.#dir, "copy"), join(this.#dir, "data"), { recursive: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    rmSync(this.#dir, { recursive: true, force: true })
  }
}

/** Several members. */
export class TestEtcdCluster implements AsyncDisposable {
  readonly members: readonly TestEtcd[]
  readonly #relay: PeerRelay

  private constructor(members: readonly TestEtcd[], relay: PeerRelay) {
    this.members = members
    this.#relay = relay
  }

  /** Resolves when all answer. */
  static async start(count: number, args: readonly string[] = []): Promise<TestEtcdCluster> {
    const ports = await freePorts(count)
    const listen = ports.map((port) => `http://127.0.0.1:${port}`)
    const relay = await PeerRelay.start(ports)
    const all = relay.urls.map((url, i) => `m${i}=${url}`).join()
    const members = listen.map(
      (url, i) => new TestEtcd(args, { name: `m${i}`, listen: url, advertise: relay.urls[i]!, all }),
    )
    const cluster = new TestEtcdCluster(members, relay)
    try {
      await Promise.all(members.map((member) => member.launch()))
      await Promise.all(members.map((member) => member.ready()))
      return cluster
    } catch (thrown) {
      await cluster[Symbol.asyncDispose]()
      throw thrown
    }
  }

  get endpoints(): readonly string[] {
    return this.members.map(({ endpoint }) => endpoint)
  }

  /** The member that leads the others. Resolves when there is one. */
  async leader(): Promise<TestEtcd> {
    for (;;) {
      for (const member of this.members)
        if ((await member.metric("etcd_server_is_leader").catch(() => 0)) === 1) return member
      await sleep(50)
    }
  }

  /** Cuts a member off from the others, in both directions, until {@link heal}. */
  cutOff(member: TestEtcd): Promise<void> {
    return this.#relay.cutOff(this.members.indexOf(member))
  }

  heal(): void {
    this.#relay.heal()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.members.map((member) => member[Symbol.asyncDispose]()))
    this.#relay[Symbol.dispose]()
  }
}
