/** Runs a program of the machine to its end, without a shell. */
import { spawn } from "node:child_process"
import { createInterface } from "node:readline"

export interface RunOptions {
  /** Its abort kills the program. */
  readonly signal: AbortSignal
  /** For its standard input; default: none. */
  readonly input?: string | Uint8Array | undefined
  /** Gets each line that the program prints, instead of `out`. */
  readonly onLine?: (line: string) => void
}

/** How a program ended. */
export interface ProgramEnd {
  /** Null when a signal ended it. */
  readonly code: number | null
  readonly killedBy: NodeJS.Signals | null
  readonly out: string
  readonly err: string
}

/** What a program may say on either side, in characters; the rest is dropped. */
const maxOutputChars = 64 * 1024 * 1024

/** Rejects when the program cannot be started, and with the signal's reason when that ended it. */
export function runProgram(
  program: string,
  args: readonly string[],
  { signal, input, onLine }: RunOptions,
): Promise<ProgramEnd> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const child = spawn(program, args, {
      stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
      // Where the programs of an administrator are; not every service looks there.
      env: { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` },
    })
    const onAbort = (): void => void child.kill("SIGKILL")
    signal.addEventListener("abort", onAbort, { once: true })
    let out = ""
    let err = ""
    if (onLine) createInterface({ input: child.stdout! }).on("line", onLine)
    else
      child.stdout!.setEncoding("utf8").on("data", (text: string) => {
        if (out.length < maxOutputChars) out += text
      })
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      if (err.length < maxOutputChars) err += text
    })
    child.stdin?.on("error", () => {}).end(input)
    child.once("error", (error) => {
      signal.removeEventListener("abort", onAbort)
      reject(new Error(`Cannot run "${program}": ${error.message}`, { cause: error }))
    })
    child.once("close", (code, killedBy) => {
      signal.removeEventListener("abort", onAbort)
      if (signal.aborted && code !== 0) reject(signal.reason)
      else resolve({ code, killedBy, out, err })
    })
  })
}
