/** Runs the host's network programs (`ip`, `nft`, `nsenter`), without a shell. */
import { spawn } from "node:child_process"
import { accessSync, constants, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

/** What the program prints. Rejects with its error output when it fails. */
export function runHostCommand(
  command: string,
  args: readonly string[],
  options: { readonly signal: AbortSignal; readonly input?: string },
): Promise<string> {
  const { signal, input } = options
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const child = spawn(command, args, { stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"] })
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
    child.once("close", (code) => {
      signal.removeEventListener("abort", onAbort)
      if (code === 0) resolve(out)
      else if (signal.aborted) reject(signal.reason)
      else
        reject(
          new Error(`Cannot run "${[command, ...args].join(" ")}": ${err.trim() || `exit code ${code}`}`),
        )
    })
  })
}

/** Runs `ip` commands in one process; the first that fails ends the batch. */
export async function ipBatch(commands: readonly string[], signal: AbortSignal): Promise<void> {
  if (commands.length === 0) return
  const input = commands.map((command) => `${command}\n`).join("")
  await runHostCommand("ip", ["-batch", "-"], { signal, input })
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
