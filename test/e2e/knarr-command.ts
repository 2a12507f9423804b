/** Runs the real `knarr` command in a home of the test's own. */
import { execFile } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import {
  createRestClient,
  createTransport,
  loadKubeconfig,
  resolveContext,
  type Client,
  type Transport,
} from "@knarr/client"

const run = promisify(execFile)
const knarr = join(import.meta.dirname, "../../bin/knarr")

export interface CommandResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export class KnarrHome implements AsyncDisposable {
  readonly dir = mkdtempSync(join(tmpdir(), "knarr-e2e-"))
  readonly name: string

  constructor(name: string) {
    this.name = name
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
  async try(...args: string[]): Promise<CommandResult> {
    try {
      const { stdout, stderr } = await run(knarr, args, { env: this.environment, maxBuffer: 64 << 20 })
      return { code: 0, stdout, stderr }
    } catch (thrown) {
      const failure = thrown as { code?: number; stdout?: string; stderr?: string }
      return {
        code: failure.code ?? -1,
        stdout: failure.stdout ?? "",
        stderr: failure.stderr ?? String(thrown),
      }
    }
  }

  /** Runs a command that must succeed. */
  async knarr(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.try(...args)
    if (code !== 0)
      throw new Error(`knarr ${args.join(" ")} ended with ${code}: ${stderr}${stdout}\n${this.log("server")}`)
    return stdout
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

  pid(process: string): number {
    return Number(readFileSync(join(this.dir, this.name, `${process}.pid`), "utf8").split(" ")[0])
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
