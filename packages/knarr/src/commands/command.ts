/** The contract of a `knarr` command: one file each, listed in order.ts. */
import type { Env } from "@knarr/base"

export interface CommandContext extends Env {
  readonly signal: AbortSignal
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Writes text to standard output. */
  print(text: string): void
  /** Writes text to standard error. */
  warn(text: string): void
}

/** Flags as `node:util` parseArgs takes them, and what is said of them. */
export type FlagSpec = Readonly<
  Record<
    string,
    {
      readonly type: "string" | "boolean"
      readonly short?: string
      /** Stands for what follows it in the help: `NAME`. */
      readonly value?: string
      /** A sentence or two. Flags without are kube-apiserver's. */
      readonly help?: string
    }
  >
>

export interface KnarrCommand {
  /** One word or two: `up`, `image load`. */
  readonly name: string
  /** For example `[--name NAME] [--agents K]`. */
  readonly usage: string
  /** One line. */
  readonly summary: string
  readonly flags: FlagSpec
  /** The names of positional arguments, all required. */
  readonly positionals?: readonly string[]
  /** Resolves with the exit code. A UsageError is printed as it is; anything else as a failure. */
  run(
    args: {
      readonly flags: Readonly<Record<string, string | boolean | undefined>>
      readonly positionals: readonly string[]
    },
    ctx: CommandContext,
  ): Promise<number>
}

export function defineCommand(command: KnarrCommand): KnarrCommand {
  return Object.freeze(command)
}
