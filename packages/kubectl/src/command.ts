/** What a kubectl command is: one frozen descriptor a file, found through the list in `command-list.ts`. */
import type { KubectlIo } from "./io.ts"
import type { Factory } from "./factory.ts"
import type { Flags, FlagSpec } from "./flags.ts"

export interface CommandContext {
  readonly io: KubectlIo
  readonly flags: Flags
  readonly args: readonly string[]
  /** How many arguments stand before `--`; -1 without one. */
  readonly dashAt: number
  /** `kubectl rollout status`. */
  readonly path: string
  readonly factory: Factory
  readonly signal: AbortSignal
  /** Writes to standard output as it is. */
  out(text: string): void
  /** Writes to standard error as it is. */
  err(text: string): void
}

export interface KubectlCommand {
  readonly name: string
  readonly aliases?: readonly string[]
  readonly summary: string
  /** The arguments, after the command's name. */
  readonly usage?: string
  /** Several paragraphs for `--help`. Default: the summary. */
  readonly long?: string
  readonly examples?: string
  readonly flags?: readonly FlagSpec[]
  /** Flags may follow arguments. Default true. */
  readonly interspersed?: boolean
  readonly subcommands?: readonly KubectlCommand[]
  /** Asked for without a subcommand, it answers with its help; others fail with it. Default false. */
  readonly helpIsAnswer?: boolean
  /** Returns the exit code (default 0), or throws. Without it the command only has subcommands. */
  run?(ctx: CommandContext): Promise<number | void>
}

/** Declares a command. */
export function defineKubectlCommand(command: KubectlCommand): KubectlCommand {
  return Object.freeze(command)
}
