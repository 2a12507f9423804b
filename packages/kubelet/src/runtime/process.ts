/** Running programs and watching processes that may not be our children. */
import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import type { Clock } from "@knarr/base"

export interface CommandOptions {
  readonly signal: AbortSignal
  readonly input?: Uint8Array
}

/** What the program prints. Rejects with its error output when it fails. No shell is involved. */
export function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<string> {
  const { signal, input } = options
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const child = spawn(command, args, { stdio: [input ? "pipe" : "ignore", "pipe", "pipe"] })
    const onAbort = (): void => void child.kill("SIGKILL")
    signal.addEventListener("abort", onAbort, { once: true })
    let out = ""
    let err = ""
    child.stdout!.setEncoding("utf8").on("data", (text: string) => (out += text))
    child.stderr!.setEncoding("utf8").on("data", (text: string) => (err += text))
    child.stdin?.on("error", () => {}).end(input)
    child.once("error", (error) => {
      signal.removeEventListener("abort", onAbort)
      reject(new Error(`Cannot run "${command}": ${error.message}`, { cause: error }))
    })
    child.once("close", (code, killedBy) => {
      signal.removeEventListener("abort", onAbort)
      if (code === 0) resolve(out)
      else if (signal.aborted) reject(signal.reason)
      else reject(new Error(`Cannot run "${command}": ${err.trim() || (killedBy ?? `exit code ${code}`)}`))
    })
  })
}

/** Whether the process runs; one that has ended and only waits for its parent to notice does not. */
export function isAlive(pid: number): boolean {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1")
    return text[text.lastIndexOf(")") + 2] !== "Z"
  } catch {
    return false
  }
}

/** Whether the process ended within `limitMs`. */
export async function waitForEnd(
  pid: number,
  limitMs: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<boolean> {
  for (const start = clock.monotonic(); clock.monotonic() - start < limitMs;) {
    if (!isAlive(pid)) return true
    await clock.sleep(10, signal)
  }
  return !isAlive(pid)
}
