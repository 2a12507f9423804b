/** Runs the host's network programs (`ip`, `nft`, `nsenter`), without a shell. */
import { spawn } from "node:child_process"
import { accessSync, constants, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { joined, line, type HostText } from "@knarr/apimachinery"

/** What a program may say before the rest is dropped. */
const maxOutputBytes = 64 * 1024 * 1024

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** What the program prints. Rejects with its error output when it fails. */
export async function runHostCommand(
  command: string,
  args: readonly string[],
  options: { readonly signal: AbortSignal; readonly input?: HostText },
): Promise<string> {
  const { code, out, err } = await run(command, args, options)
  if (code === 0) return out
  throw new Error(`Cannot run "${[command, ...args].join(" ")}": ${err.trim() || `exit code ${code}`}`)
}

function run(
  command: string,
  args: readonly string[],
  { signal, input }: { readonly signal: AbortSignal; readonly input?: HostText },
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const child = spawn(command, args, { stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"] })
    const onAbort = (): void => void child.kill("SIGKILL")
    signal.addEventListener("abort", onAbort, { once: true })
    let out = ""
    let err = ""
    child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      if (out.length < maxOutputBytes) out += text
    })
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      if (err.length < maxOutputBytes) err += text
    })
    child.stdin?.on("error", () => {}).end(input)
    child.once("error", (error) => {
      signal.removeEventListener("abort", onAbort)
      reject(new Error(`Cannot run "${command}": ${error.message}`, { cause: error }))
    })
    child.once("close", (code) => {
      signal.removeEventListener("abort", onAbort)
      if (signal.aborted && code !== 0) reject(signal.reason)
      else resolve({ code, out, err })
    })
  })
}

export interface FailedCommand {
  readonly command: HostText
  readonly message: string
}

/**
 * Runs `ip` commands in one process. The first that fails ends the batch and rejects; with `carryOn` the others are
 * run all the same, and the answer is those that failed. `netns` names another network namespace to run them in.
 */
export async function ipBatch(
  commands: readonly HostText[],
  signal: AbortSignal,
  options: { readonly carryOn?: boolean; readonly netns?: string } = {},
): Promise<FailedCommand[]> {
  if (commands.length === 0) return []
  const input = line`${joined(commands, "\n")}\n`
  const args = [...(options.netns === undefined ? [] : ["-n", options.netns]), "-batch", "-"]
  if (!options.carryOn) {
    await runHostCommand("ip", args, { signal, input })
    return []
  }
  const { code, err } = await run("ip", ["-force", ...args], { signal, input })
  return code === 0 ? [] : failedCommands(commands, err)
}

/** Reads `ip -force -batch`: each complaint is followed by `Command failed -:LINE`. */
export function failedCommands(commands: readonly HostText[], output: string): FailedCommand[] {
  const failed: FailedCommand[] = []
  let message = ""
  for (const text of output.split("\n")) {
    const at = /^Command failed -:(\d+)$/.exec(text.trim())
    if (!at) {
      message += `${message === "" ? "" : " "}${text.trim()}`
      continue
    }
    const command = commands[Number(at[1]) - 1]
    if (command !== undefined) failed.push({ command, message })
    message = ""
  }
  if (failed.length === 0) throw new Error(`Cannot run "ip -batch": ${output.trim() || "no reason given"}`)
  return failed
}

/** Whether a program of this name is installed. */
export function isInstalled(program: string): boolean {
  return `${process.env["PATH"] ?? ""}:/usr/sbin:/usr/bin:/sbin:/bin`.split(":").some((dir) => {
    try {
      accessSync(join(dir, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** Sets kernel parameters of our own network namespace (`net/ipv4/ip_forward`); those the kernel lacks are left out. */
export function setKernelParameters(values: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(values)) {
    const path = join("/proc/sys", name)
    try {
      if (readFileSync(path, "utf8").trim() !== value) writeFileSync(path, value)
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== "ENOENT") throw thrown
    }
  }
}
