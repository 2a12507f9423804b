/** `kubectl cordon` and `uncordon`. Mirrors: kubectl pkg/cmd/drain/drain.go */
import { defineKubectlCommand, type CommandContext, type KubectlCommand } from "../command.ts"
import { UsageError } from "../errors.ts"
import { dryRunOf, dryRunSuffix, type DryRun } from "../printers/printer.ts"
import { forEachInfo, selectInfos, type Selected } from "../resources.ts"
import type { Info } from "../info.ts"
import { dryRunFlag, selectorFlag } from "../shared-flags.ts"
import { patchObject } from "../writes.ts"

/** The nodes that arguments or `-l` name. */
export async function selectNodes(ctx: CommandContext): Promise<Selected> {
  const { args, flags } = ctx
  if (args.length > 0 && flags.text("selector"))
    throw new Error("error: cannot specify both a node name and a --selector option")
  if (args.length === 0 && !flags.text("selector")) {
    throw new UsageError(ctx.path, `USAGE: ${ctx.path.split(" ")[1]} NODE [flags]`)
  }
  return selectInfos(ctx, { args: ["nodes", ...args], latest: true })
}

/** Marks a node; says so, or that it was so already. */
export async function markNode(
  ctx: CommandContext,
  info: Info,
  wanted: boolean,
  dryRun: DryRun,
): Promise<void> {
  const word = wanted ? "cordoned" : "uncordoned"
  if ((info.object["spec"]?.unschedulable === true) === wanted) {
    ctx.out(`node/${info.name} already ${word}${dryRunSuffix(dryRun)}\n`)
    return
  }
  if (dryRun !== "client") {
    const patch = { spec: { unschedulable: wanted ? true : null } }
    await patchObject(await ctx.factory.api(), info, "strategic", patch, { dryRun })
  }
  ctx.out(`node/${info.name} ${word}${dryRunSuffix(dryRun)}\n`)
}

function marker(name: string, summary: string, wanted: boolean): KubectlCommand {
  return defineKubectlCommand({
    name,
    summary,
    usage: "NODE",
    flags: [selectorFlag, dryRunFlag],
    run: async (ctx) => {
      const dryRun = dryRunOf(ctx)
      await forEachInfo(await selectNodes(ctx), (info) => markNode(ctx, info, wanted, dryRun))
    },
  })
}

export const cordon: KubectlCommand = marker("cordon", "Mark node as unschedulable", true)
export const uncordon: KubectlCommand = marker("uncordon", "Mark node as schedulable", false)
