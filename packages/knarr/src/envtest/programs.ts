/** `knarr envtest PROGRAM`: what the scripts of `knarr envtest-assets` start. Takes the flags of the program it stands in for. */
import { messageOf } from "@knarr/base"
import { type FlagSpec, parseFlags } from "@knarr/kubectl"
import { UsageError } from "../cluster-home.ts"
import type { CommandContext } from "../commands/command.ts"
import { etcd } from "./etcd.ts"
import { kubeApiServer } from "./kube-apiserver.ts"
import type { StandIn } from "./stand-in.ts"

const standIns: readonly StandIn[] = [etcd, kubeApiServer]

/** Resolves with the exit code. */
export async function runEnvtest(argv: readonly string[], ctx: CommandContext): Promise<number> {
  const standIn = standIns.find(({ name }) => name === argv[0])
  if (!standIn) throw new UsageError(`knarr envtest takes ${standIns.map(({ name }) => name).join(" or ")}`)
  const args = argv.slice(1)
  if (args.some((arg) => arg === "--help" || arg === "-h")) {
    // Whether a flag stands here is how envtest knows what it may pass.
    ctx.print(`Knarr in the place of ${standIn.name}, for envtest\n\n${standIn.flags.map(helpLine).join("")}`)
    return 0
  }
  if (args.includes("--version")) {
    ctx.print(`Knarr in the place of ${standIn.name}\n`)
    return 0
  }
  try {
    const { flags, args: rest } = parseFlags(args, standIn.flags)
    if (rest.length > 0) throw new Error(`unknown argument ${JSON.stringify(rest[0])}`)
    await standIn.run(flags, ctx)
    return 0
  } catch (thrown) {
    ctx.warn(`Error: ${messageOf(thrown)}\n`)
    return 1
  }
}

function helpLine({ name, type, help }: FlagSpec): string {
  return `      --${name} ${type}\n            ${help || "As upstream's."}\n`
}
