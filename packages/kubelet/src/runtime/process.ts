/** Running programs and watching processes that may not be our children. */
import { readFileSync } from "node:fs"
import { runProgram, type Clock, type RunOptions } from "@knarr/base"

/** What the program prints. Rejects with its error output when it fails. No shell is involved. */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: Pick<RunOptions, "signal" | "input">,
): Promise<string> {
  const { code, killedBy, out, err } = await runProgram(command, args, options)
  if (code === 0) return out
  throw new Error(`Cannot run "${command}": ${err.trim() || (killedBy ?? `exit code ${code}`)}`)
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
