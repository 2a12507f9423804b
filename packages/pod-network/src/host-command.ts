/** Runs the host's network programs (`ip`, `nft`, `nsenter`), without a shell. */
import { accessSync, constants, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { joined, line, type HostText } from "@knarr/apimachinery"
import { runProgram } from "@knarr/base"

/** What the program prints. Rejects with its error output when it fails. */
export async function runHostCommand(
  command: string,
  args: readonly string[],
  options: { readonly signal: AbortSignal; readonly input?: HostText },
): Promise<string> {
  const { code, out, err } = await runProgram(command, args, options)
  if (code === 0) return out
  throw new Error(`Cannot run "${[command, ...args].join(" ")}": ${err.trim() || `exit code ${code}`}`)
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
  const { code, err } = await runProgram("ip", ["-force", ...args], { signal, input })
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

/** What the kernel lacks, and what a container may only read: whoever looks says so, see host-obstacles.ts. */
const notToBeSet = new Set(["ENOENT", "EROFS", "EACCES", "EPERM"])

/** Sets kernel parameters of our own network namespace (`net/ipv4/ip_forward`), those that can be set. */
export function setKernelParameters(values: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(values)) {
    const path = join("/proc/sys", name)
    try {
      if (readFileSync(path, "utf8").trim() !== value) writeFileSync(path, value)
    } catch (thrown) {
      if (!notToBeSet.has((thrown as NodeJS.ErrnoException).code ?? "")) throw thrown
    }
  }
}
