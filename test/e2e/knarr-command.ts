/** Runs the real `knarr` command in a home of the test's own. */
import { execFile } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { systemClock } from "@knarr/base"
import {
  createRestClient,
  createTransport,
  loadKubeconfig,
  resolveContext,
  type Client,
  type Transport,
} from "@knarr/client"

const run = promisify(execFile)
/** `$KNARR_COMMAND` tests another build than the clone's. */
export const knarr = process.env["KNARR_COMMAND"] ?? join(import.meta.dirname, "../../bin/knarr")
const limitMs = 60_000
const pollMs = 50
/** Far more than it takes: what is meant is that nobody had to do anything. */
const recoveryLimitMs = 15_000

export interface CommandResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end, a minute at most; never rejects for its exit code. */
export async function runProgram(
  program: string,
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<CommandResult> {
  try {
    const options = {
      env: environment,
      maxBuffer: 64 << 20,
      timeout: limitMs,
      killSignal: "SIGKILL",
    } as const
    const { stdout, stderr } = await run(program, args, options)
    return { code: 0, stdout, stderr }
  } catch (thrown) {
    const failure = thrown as { code?: number; killed?: boolean; stdout?: string; stderr?: string }
    return {
      code: typeof failure.code === "number" ? failure.code : -1,
      stdout: failure.stdout ?? "",
      stderr: `${failure.killed ? `killed after ${limitMs} ms: ` : ""}${failure.stderr ?? String(thrown)}`,
    }
  }
}

/** Asks again and again until `attempt` neither throws nor resolves with undefined; rejects with the last failure. */
export async function eventually<T>(
  what: string,
  attempt: () => Promise<T | undefined> | T | undefined,
  timeoutMs: number = limitMs,
): Promise<T> {
  const end = systemClock.monotonic() + timeoutMs
  for (;;) {
    let failure: unknown
    try {
      const result = await attempt()
      if (result !== undefined) return result
    } catch (thrown) {
      failure = thrown
    }
    if (systemClock.monotonic() > end)
      throw new Error(`Waited ${timeoutMs} ms for ${what}`, { cause: failure })
    await pause(pollMs)
  }
}

export function pause(ms: number): Promise<void> {
  return systemClock.sleep(ms, new AbortController().signal)
}

/** Processes that were killed, by their names. */
export interface Crash {
  readonly pids: ReadonlyMap<string, number>
  readonly atMs: number
}

export class KnarrHome implements AsyncDisposable {
  readonly dir = mkdtempSync(join(tmpdir(), "knarr-e2e-"))
  readonly name: string
  readonly #command: readonly string[]

  /** `command`: what runs Knarr, the clone's own by default. */
  constructor(name: string, command: readonly string[] = [knarr]) {
    this.name = name
    this.#command = command
  }

  get environment(): Record<string, string | undefined> {
    return {
      ...process.env,
      KNARR_HOME: this.dir,
      KUBECONFIG: join(this.dir, "user-kubeconfig"),
      HOME: this.dir,
    }
  }

  /** Runs a command; never rejects for its exit code. */
  try(...args: string[]): Promise<CommandResult> {
    return this.#run(args, this.environment)
  }

  #run(args: readonly string[], environment: KnarrHome["environment"]): Promise<CommandResult> {
    const [program, ...first] = this.#command
    return runProgram(program!, [...first, ...args], environment)
  }

  /** Runs a command that must succeed. */
  async knarr(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.try(...args)
    if (code !== 0)
      throw new Error(`knarr ${args.join(" ")} ended with ${code}: ${stderr}${stdout}\n${this.log("server")}`)
    return stdout
  }

  /** `kubectl` on the cluster: Knarr's own, or another program. It must succeed. */
  async kubectl(args: readonly string[], program?: string): Promise<string> {
    const { code, stdout, stderr } = await this.tryKubectl(args, program)
    if (code !== 0) throw new Error(`kubectl ${args.join(" ")} ended with ${code}: ${stderr}${stdout}`)
    return stdout
  }

  tryKubectl(args: readonly string[], program?: string): Promise<CommandResult> {
    const environment = { ...this.environment, KUBECONFIG: this.kubeconfig }
    return program === undefined
      ? this.#run(["kubectl", ...args], environment)
      : runProgram(program, args, environment)
  }

  /** Puts an image archive into the cluster's registry. */
  async loadImage(archive: Buffer): Promise<void> {
    const file = join(this.dir, "image.tar")
    writeFileSync(file, archive)
    await this.knarr("image", "load", "--name", this.name, file)
  }

  async up(...args: string[]): Promise<string> {
    return this.knarr("up", "--name", this.name, ...args)
  }

  get kubeconfig(): string {
    return join(this.dir, this.name, "kubeconfig")
  }

  async connect(): Promise<{ client: Client; transport: Transport }> {
    const transport = createTransport(resolveContext(await loadKubeconfig([this.kubeconfig])).transport)
    return { client: createRestClient({ transport, fieldManager: "e2e" }), transport }
  }

  /** Of the server, of a node's agent, or of the supervisor of one of them. */
  pid(process: string, what: "pid" | "supervisor" = "pid"): number {
    return Number(readFileSync(join(this.dir, this.name, `${process}.${what}`), "utf8").split(" ")[0])
  }

  /** Kills processes as a crash would, all at one moment. Their supervisors start them again. */
  crash(...names: readonly string[]): Crash {
    const pids = new Map(names.map((name) => [name, this.pid(name)]))
    for (const pid of pids.values()) process.kill(pid, "SIGKILL")
    return { pids, atMs: systemClock.monotonic() }
  }

  /** Kills processes and their supervisors: nobody starts them again. */
  crashForGood(...names: readonly string[]): void {
    for (const name of names) process.kill(this.pid(name, "supervisor"), "SIGKILL")
    this.crash(...names)
  }

  /** Resolves when all are there again and say that they are ready, with the milliseconds since the crash. */
  async recovered({ pids, atMs }: Crash): Promise<number> {
    for (const [name, before] of pids)
      await eventually(
        `${name} to be started again`,
        () => {
          const [first, ...told] = readFileSync(join(this.dir, this.name, `${name}.progress`), "utf8").split(
            "\n",
          )
          const { pid } = JSON.parse(first!) as { pid: number }
          return (pid !== before && pid === this.pid(name) && told.includes('{"ready":true}')) || undefined
        },
        recoveryLimitMs,
      )
    return systemClock.monotonic() - atMs
  }

  /** The end of a process's log, for messages. */
  log(process: string): string {
    try {
      return readFileSync(join(this.dir, this.name, "logs", `${process}.log`), "utf8").slice(-4000)
    } catch {
      return ""
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.try("delete", "--name", this.name)
    rmSync(this.dir, { recursive: true, force: true })
  }
}
