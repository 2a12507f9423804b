/** What a command line asks for: a command and its flags, the help, or a program that reads its arguments itself. */
import { parseArgs } from "node:util"
import { asError } from "@knarr/base"
import { UsageError } from "./cluster-home.ts"
import type { CommandContext, FlagSpec, KnarrCommand } from "./commands/command.ts"
import { commandLoaders, programs, type CommandEntry } from "./commands/order.ts"

const program = "knarr"

/** Runs what `argv` (without the program) asks for and resolves with the exit code. What fails is said in a line. */
export async function runCommandLine(argv: readonly string[], ctx: CommandContext): Promise<number> {
  try {
    return await dispatch(argv, ctx)
  } catch (thrown) {
    const error = asError(thrown)
    ctx.warn(`error: ${error.message}\n`)
    if (ctx.environment["KNARR_LOG"] === "debug") ctx.warn(`${error.stack}\n`)
    return 1
  }
}

async function dispatch(argv: readonly string[], ctx: CommandContext): Promise<number> {
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
    const { name, usage, summary } = command
    ctx.print(`${summary}\n\nusage: ${program} ${name} ${usage}\n${flagsText(command)}`)
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

/** A flag a line, with what it does below it; those of kube-apiserver are for its own documentation to explain. */
function flagsText({ flags }: KnarrCommand): string {
  const line = ([name, { type, short, value }]: [string, FlagSpec[string]]): string =>
    `    ${short === undefined ? "" : `-${short}, `}--${name}${type === "boolean" ? "" : `=${value ?? "VALUE"}`}`
  const all = Object.entries(flags).sort(([a], [b]) => (a < b ? -1 : 1))
  const own = all.filter(([, { help }]) => help !== undefined)
  const others = all.filter(([, { help }]) => help === undefined)
  return [
    ...(own.length > 0 ? ["\nOptions:\n"] : []),
    own.map((flag) => `${line(flag)}:\n\t${flag[1].help}\n`).join("\n"),
    ...(others.length > 0 ? ["\nOptions of the API server, as kube-apiserver has them:\n"] : []),
    ...others.map((flag) => `${line(flag)}\n`),
  ].join("")
}

function helpText(): string {
  const width = Math.max(...commandLoaders.map(({ name }) => name.length))
  const line = ({ name, summary }: CommandEntry): string => `  ${name.padEnd(width)}  ${summary}\n`
  return `${program}: Kubernetes on this machine, in one command\n\nusage: ${program} COMMAND [FLAGS]\n\n${commandLoaders.map(line).join("")}${line({ name: "kubectl", summary: "Talk to a cluster as kubectl does" } as CommandEntry)}`
}
