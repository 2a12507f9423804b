/** Help texts. Mirrors: kubectl pkg/util/templates */
import type { KubectlCommand } from "./command.ts"
import type { FlagSpec } from "./flags.ts"
import { globalFlags } from "./global-flags.ts"

const globalHint =
  'Use "kubectl options" for a list of global command-line options (applies to all commands).\n'

interface ListedCommand {
  readonly name: string
  readonly summary: string
  readonly group: string
}

/** What `kubectl` alone prints. */
export function rootHelp(commands: readonly ListedCommand[]): string {
  let out =
    "kubectl controls the Kubernetes cluster manager.\n\n" +
    " Find more information at: https://kubernetes.io/docs/reference/kubectl/\n\n"
  for (const group of new Set(commands.map((entry) => entry.group))) {
    const entries = commands.filter((entry) => entry.group === group)
    out += section(`${group}:`, entries)
  }
  return (
    `${out}Usage:\n  kubectl [flags] [options]\n\n` +
    `Use "kubectl <command> --help" for more information about a given command.\n${globalHint}`
  )
}

function section(title: string, entries: readonly { name: string; summary: string }[]): string {
  const width = Math.max(...entries.map((entry) => entry.name.length), 11)
  const rows = entries.map((entry) => `  ${entry.name.padEnd(width)}   ${entry.summary}\n`)
  return `${title}\n${rows.join("")}\n`
}

/** What `kubectl options` prints. */
export function optionsHelp(): string {
  return `The following options can be passed to any command:\n\n${optionLines(globalFlags)}`
}

/** What `--help` prints for a command. */
export function commandHelp(path: string, command: KubectlCommand): string {
  let out = `${command.long ?? `${command.summary}.`}\n\n`
  if (command.aliases?.length) out += `Aliases:\n${[command.name, ...command.aliases].join(", ")}\n\n`
  if (command.examples) out += `Examples:\n${command.examples}\n\n`
  if (command.subcommands) out += section("Available Commands:", command.subcommands)
  const flags = command.flags ?? []
  if (flags.length > 0) out += `Options:\n${optionLines(flags)}`
  const usage = command.usage ?? (command.run ? "" : "SUBCOMMAND")
  out += `Usage:\n  ${path}${usage ? ` ${usage}` : ""} [options]\n\n`
  if (command.subcommands) {
    out += `Use "${path} <command> --help" for more information about a given command.\n`
  }
  return out + globalHint
}

function optionLines(flags: readonly FlagSpec[]): string {
  return flags
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map((spec) => {
      const name = spec.short ? `-${spec.short}, --${spec.name}` : `--${spec.name}`
      return `    ${name}=${shownDefault(spec)}:\n\t${spec.help}\n\n`
    })
    .join("")
}

function shownDefault(spec: FlagSpec): string {
  if (spec.type === "array" || spec.type === "csv") return "[]"
  return spec.type === "string" ? `'${spec.default}'` : spec.default
}
