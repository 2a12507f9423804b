/** The `knarr` command. */
import { parseArgs } from "node:util"
import { asError, createLogger, Meter, systemClock, systemRandom } from "@knarr/base"
import { UsageError } from "./cluster-home.ts"
import type { CommandContext, KnarrCommand } from "./commands/command.ts"
import { commandLoaders, programs, type CommandEntry } from "./commands/order.ts"
import { stopSignal } from "./stop-signal.ts"

const program = "knarr"

async function main(argv: readonly string[]): Promise<number> {
  const ctx: CommandContext = {
    clock: systemClock,
    random: systemRandom,
    log: createLogger({
      clock: systemClock,
      level: process.env["KNARR_LOG"] === "debug" ? "debug" : "warn",
      write: (line) => process.stderr.write(line),
    }),
    meter: new Meter(),
    signal: stopSignal(),
    environment: process.env,
    print: (text) => process.stdout.write(text),
    warn: (text) => process.stderr.write(text),
  }
  const [first] = argv
  const other = programs.find(({ name }) => name === first)
  if (other) return (await other.load())(argv.slice(1), ctx)
  if (first === undefined || first === "help" || first === "--help" || first === "-h") {
    ctx.print(helpText())
    return first === undefined ? 1 : 0
  }
  const entry = commandLoaders.find(
    ({ name }) => name === first || (name.includes(" ") && name === `${first} ${argv[1]}`),
  )
  if (!entry) {
    ctx.warn(`error: unknown command "${first}"; run "${program} help"\n`)
    return 1
  }
  return run(await entry.load(), argv.slice(entry.name.split(" ").length), ctx)
}

async function run(command: KnarrCommand, args: readonly string[], ctx: CommandContext): Promise<number> {
  const { rest, switches } = takeSwitches(command, args)
  let parsed
  try {
    parsed = parseArgs({
      args: rest,
      options: { ...command.flags, help: { type: "boolean", short: "h" } },
      allowPositionals: true,
      strict: true,
    })
  } catch (thrown) {
    throw new UsageError(
      `${asError(thrown).message.replace(/\. To specify.*$/s, "")}\nusage: ${program} ${command.name} ${command.usage}`,
    )
  }
  const flags = { ...parsed.values, ...switches } as Record<string, string | boolean | undefined>
  if (flags["help"]) {
    ctx.print(`${command.summary}\n\nusage: ${program} ${command.name} ${command.usage}\n`)
    return 0
  }
  const wanted = command.positionals?.length ?? 0
  if (parsed.positionals.length !== wanted) {
    throw new UsageError(
      `${program} ${command.name} takes ${wanted === 0 ? "no arguments" : command.positionals!.join(" ")}\nusage: ${program} ${command.name} ${command.usage}`,
    )
  }
  return command.run({ flags, positionals: parsed.positionals }, ctx)
}

/** Takes out `--flag=true` and `--flag=false`, which parseArgs does not know. */
function takeSwitches(
  { flags }: KnarrCommand,
  args: readonly string[],
): { rest: string[]; switches: Record<string, boolean> } {
  const switches: Record<string, boolean> = {}
  const rest = args.filter((arg) => {
    const [, name, value] = /^--([\w-]+)=(true|false)$/.exec(arg) ?? []
    if (name === undefined || flags[name]?.type !== "boolean") return true
    switches[name] = value === "true"
    return false
  })
  return { rest, switches }
}

function helpText(): string {
  const width = Math.max(...commandLoaders.map(({ name }) => name.length))
  const line = ({ name, summary }: CommandEntry): string => `  ${name.padEnd(width)}  ${summary}\n`
  return `${program}: Kubernetes on this machine, in one command\n\nusage: ${program} COMMAND [FLAGS]\n\n${commandLoaders.map(line).join("")}${line({ name: "kubectl", summary: "Talk to a cluster as kubectl does" } as CommandEntry)}`
}

// Whoever reads us may stop early (`knarr … | head`): that is no failure of ours to report.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1))
}
try {
  process.exitCode = await main(process.argv.slice(2))
} catch (thrown) {
  process.stderr.write(`error: ${asError(thrown).message}\n`)
  if (process.env["KNARR_LOG"] === "debug") process.stderr.write(`${asError(thrown).stack}\n`)
  process.exitCode = 1
}
