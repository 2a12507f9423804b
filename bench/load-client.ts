/** The Node.js side of loadgen/, the program that makes the load: one process per server. */
import { execFileSync } from "node:child_process"
import { mkdirSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import type { Server } from "./server.ts"
import { tail, type Process, type Workspace } from "./workspace.ts"

/** One load: see runSpec in loadgen/run.go for what the fields mean. */
export interface Load {
  readonly method: "GET" | "POST" | "PUT" | "PATCH"
  readonly path: string
  readonly body?: string
  readonly contentType?: string
  readonly accept: string
  readonly clients: number
  readonly first?: number
  readonly modulo?: number
  readonly requests?: number
  readonly seconds?: number
  readonly pages?: boolean
}

export interface LoadResult {
  readonly seconds: number
  readonly requests: number
  readonly errors: number
  readonly firstError?: string
  readonly bytes: number
  /** The latency of each request in microseconds. */
  readonly micros: readonly number[]
}

export interface FanOutResult {
  readonly writes: LoadResult
  readonly expected: number
  readonly delivered: number
  readonly seconds: number
  readonly bytes: number
}

let program: string | undefined

/** Builds the load client with Go's standard library; Go's own cache makes the second time quick. */
function build(): string {
  if (program) return program
  const dir = join(process.env["KNARR_REFERENCE"] ?? join(homedir(), ".cache/knarr-reference"), "bench")
  mkdirSync(dir, { recursive: true })
  program = join(dir, "loadgen")
  execFileSync("go", ["build", "-buildvcs=false", "-trimpath", "-o", program, "."], {
    cwd: join(import.meta.dirname, "loadgen"),
    env: { ...process.env, CGO_ENABLED: "0" },
    stdio: ["ignore", "inherit", "inherit"],
  })
  return program
}

export class LoadClient {
  readonly #process: Process
  readonly #lines: AsyncIterator<string>

  constructor(workspace: Workspace, server: Server) {
    const { ca, clientCert, clientKey } = server.credentials
    this.#process = workspace.spawn(
      `loadgen-${server.side}`,
      [build(), "-server", server.url, "-ca", ca, "-cert", clientCert, "-key", clientKey],
      { pipes: true },
    )
    this.#lines = createInterface({ input: this.#process.child.stdout! })[Symbol.asyncIterator]()
  }

  /** Resolves when the load is over; a request that fails is counted and not an error of this call. */
  async run(run: Load): Promise<LoadResult> {
    this.#send({ op: "run", run })
    return ordered(await this.#receive<LoadResult>())
  }

  /** Opens `watchers` watches of `watch`, calls `onOpen`, runs the writes, and resolves when all has arrived. */
  async fanOut(watch: string, watchers: number, run: Load, onOpen: () => void): Promise<FanOutResult> {
    this.#send({ op: "fanout", watch, watchers, run })
    const { opened, error } = await this.#receive<{ opened: number; error?: string }>()
    if (error) throw new Error(`${opened} watches opened, then: ${error}`)
    onOpen()
    this.#send({ op: "go" })
    const result = await this.#receive<FanOutResult>()
    return { ...result, writes: ordered(result.writes) }
  }

  #send(command: unknown): void {
    this.#process.child.stdin!.write(`${JSON.stringify(command)}\n`)
  }

  async #receive<T>(): Promise<T> {
    const next = await this.#lines.next()
    if (next.done) throw new Error(`The load client ended:\n${tail(this.#process.log)}`)
    return JSON.parse(next.value) as T
  }
}

/** Go writes null for a list without items. */
function ordered(result: LoadResult): LoadResult {
  return { ...result, micros: result.micros ?? [] }
}
