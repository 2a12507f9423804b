/** The contract of a program that stands in for one that Go's envtest starts. */
import type { FlagSpec, Flags } from "@knarr/kubectl"
import type { CommandContext } from "../commands/command.ts"

export interface StandIn {
  readonly name: string
  readonly flags: readonly FlagSpec[]
  /** Works until the context's signal is aborted. Throws a UsageError for flags that it cannot follow. */
  run(flags: Flags, ctx: CommandContext): Promise<void>
}
