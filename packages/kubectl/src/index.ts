/** kubectl: the user's tool, as commands that are loaded when they run. */
export { type CommandContext, type KubectlCommand, defineKubectlCommand } from "./command.ts"
export type { KubectlIo } from "./io.ts"
export { type CommandEntry, type CommandGroup, commandList } from "./command-list.ts"
export { type FlagSpec, type Flags, flag, parseFlags } from "./flags.ts"
export { runKubectl } from "./run.ts"
export { processIo } from "./process-io.ts"
