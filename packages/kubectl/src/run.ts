/** From a command line to a command: finding it, parsing its flags, running it and saying what went wrong. */
import type { CommandContext, KubectlCommand } from "./command.ts"
import type { KubectlIo } from "./io.ts"
import { commandList } from "./command-list.ts"
import { ExitError, UsageError, failureOf } from "./errors.ts"
import { Factory } from "./factory.ts"
import { flag, parseFlags, type FlagSpec } from "./flags.ts"
import { globalFlags } from "./global-flags.ts"
import { goQuote } from "@knarr/apimachinery"

const helpFlag: FlagSpec = flag.bool("help", { short: "h" })

/**
 * Runs one kubectl command line (without the program's name). Resolves with the exit code; never rejects. `extra`
 * are commands beside the built-in ones, which they come before.
 */
export async function runKubectl(
  argv: readonly string[],
  io: KubectlIo,
  extra: readonly KubectlCommand[] = [],
): Promise<number> {
  try {
    return await dispatch(argv, io, extra)
  } catch (thrown) {
    if (io.signal.aborted) return 130
    if ((thrown as NodeJS.ErrnoException).code === "EPIPE") return 1
    const { message, code } = failureOf(thrown)
    if (message !== "") io.stderr.write(message.endsWith("\n") ? message : `${message}\n`)
    return code
  }
}

async function dispatch(
  argv: readonly string[],
  io: KubectlIo,
  extra: readonly KubectlCommand[],
): Promise<number> {
  const first = takeWord(argv)
  const out = (text: string): number => (io.stdout.write(text), 0)
  const help = await import("./help.ts")
  if (first.word === undefined) {
    if (first.rest[0] === "--")
      throw new Error(`unknown command ${goQuote(first.rest[1] ?? "")} for "kubectl"`)
    parseRoot(argv)
    return out(help.rootHelp(commandList))
  }
  if (first.word === "options") return out(help.optionsHelp())
  if (first.word === "help") {
    if (first.rest.length === 0) return out(help.rootHelp(commandList))
    return dispatch([...first.rest, "--help"], io, extra)
  }
  const isAsked = (one: { readonly name: string; readonly aliases?: readonly string[] }): boolean =>
    one.name === first.word || one.aliases?.includes(first.word!) === true
  const added = extra.find(isAsked)
  const entry = added ? undefined : commandList.find(isAsked)
  if (!added && !entry) throw unknownCommand(first.word)
  let command = added ?? (await entry!.load())
  let path = `kubectl ${command.name}`
  let rest = first.rest
  while (command.subcommands) {
    const next = takeWord(rest, command.flags)
    const sub = command.subcommands.find(
      (one) => one.name === next.word || (next.word !== undefined && one.aliases?.includes(next.word)),
    )
    if (!sub) break
    command = sub
    path += ` ${sub.name}`
    rest = next.rest
  }
  const parsed = parseCommandLine(path, command, rest)
  if (parsed.flags.bool("help")) return out(help.commandHelp(path, command))
  if (!command.run) {
    if (parsed.args.length === 0) {
      const text = help.commandHelp(path, command)
      if (command.helpIsAnswer) return out(text)
      io.stderr.write(text)
      return 1
    }
    throw new UsageError(path, `unknown command ${goQuote(parsed.args.join(" "))}`)
  }
  using factory = new Factory(io, parsed.flags, new Set(command.flags?.map((spec) => spec.name)))
  const ctx: CommandContext = {
    io,
    flags: parsed.flags,
    args: parsed.args,
    dashAt: parsed.dashAt,
    path,
    factory,
    signal: io.signal,
    out: (text) => void io.stdout.write(text),
    err: (text) => void io.stderr.write(text),
  }
  const code = (await command.run(ctx)) ?? 0
  const warned = factory.warningCount
  if (code === 0 && warned > 0 && parsed.flags.bool("warnings-as-errors")) {
    throw new ExitError(1, `error: ${warned} warning${warned === 1 ? "" : "s"} received`)
  }
  return code
}

function parseCommandLine(
  path: string,
  command: KubectlCommand,
  argv: readonly string[],
): ReturnType<typeof parseFlags> {
  const own = command.flags ?? []
  const taken = new Set(own.map((spec) => spec.name))
  const shorts = new Set(own.map((spec) => spec.short))
  const inherited = globalFlags
    .filter((spec) => !taken.has(spec.name))
    .map((spec) => (spec.short && shorts.has(spec.short) ? { ...spec, short: "" } : spec))
  try {
    return parseFlags(argv, [...own, ...inherited, helpFlag], { interspersed: command.interspersed ?? true })
  } catch (thrown) {
    throw new Error(`${(thrown as Error).message}\nSee '${path} --help' for usage.`, { cause: thrown })
  }
}

function parseRoot(argv: readonly string[]): void {
  try {
    parseFlags(argv, [...globalFlags, helpFlag])
  } catch (thrown) {
    throw new Error(`${(thrown as Error).message}\nSee 'kubectl --help' for usage.`, { cause: thrown })
  }
}

/** The first word that is no flag nor a flag's value, and everything else. */
function takeWord(
  argv: readonly string[],
  more: readonly FlagSpec[] = [],
): { word: string | undefined; rest: readonly string[] } {
  const specs = [...globalFlags, ...more]
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i]!
    if (arg === "--") break
    if (!arg.startsWith("-") || arg === "-") {
      return { word: arg, rest: [...argv.slice(0, i), ...argv.slice(i + 1)] }
    }
    if (arg.includes("=")) continue
    const spec = arg.startsWith("--")
      ? specs.find((one) => `--${one.name}` === arg)
      : specs.find((one) => `-${one.short}` === arg)
    if (spec && spec.bare === undefined) i++
  }
  return { word: undefined, rest: argv }
}

function unknownCommand(word: string): Error {
  const near = commandList
    .map((entry) => entry.name)
    .filter((name) => distance(word, name) <= 2 || name.toLowerCase().startsWith(word.toLowerCase()))
  const hint = near.length > 0 ? `\n\nDid you mean this?\n${near.map((name) => `\t${name}\n`).join("")}` : ""
  return new Error(`unknown command ${goQuote(word)} for "kubectl"${hint}`)
}

/** How many edits turn one word into another. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1]!.toLowerCase() === b[j - 1]!.toLowerCase()
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (same ? 0 : 1)))
    }
    row = next
  }
  return row[b.length]!
}
