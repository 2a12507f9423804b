/** What all generators of `kubectl create` share. Mirrors: kubectl pkg/cmd/create/create.go (CreateSubcommandOptions) */
import { StatusError } from "@knarr/apimachinery"
import type { CommandContext, KubectlCommand } from "../command.ts"
import { UsageError } from "../errors.ts"
import { flag, type FlagSpec } from "../flags.ts"
import { withLastApplied } from "../last-applied.ts"
import type { Obj } from "../object.ts"
import { changePrinter, dryRunOf } from "../printers/printer.ts"
import { typedFields } from "../printers/typed-json.ts"
import { dryRunFlag, fieldManagerFlag, printFlags, validateFlag } from "../shared-flags.ts"
import { createObject, validationOf } from "../writes.ts"

interface Generator {
  readonly name: string
  readonly aliases?: readonly string[]
  readonly summary: string
  readonly usage: string
  readonly flags?: readonly FlagSpec[]
  /** Makes the object from the command line. */
  make(ctx: CommandContext, name: string): Promise<Obj> | Obj
  /** What upstream puts in front of a failure's message: `failed to create job: `. */
  readonly failure?: string
  /** Positional arguments beyond the name are taken. */
  readonly moreArgs?: boolean
}

/** A subcommand that makes one object, prints it and sends it. */
export function generator(spec: Generator): KubectlCommand {
  return {
    name: spec.name,
    ...(spec.aliases ? { aliases: spec.aliases } : {}),
    summary: spec.summary,
    usage: spec.usage,
    flags: [
      ...(spec.flags ?? []),
      ...printFlags,
      dryRunFlag,
      fieldManagerFlag("kubectl-create"),
      validateFlag,
      flag.bool(
        "save-config",
        "If true, the configuration of current object will be saved in its annotation.",
      ),
    ],
    run: async (ctx) => {
      const name = nameArgument(ctx, spec.moreArgs === true)
      await sendObject(ctx, await spec.make(ctx, name), spec.failure)
    },
  }
}

/** The one NAME argument. Throws with upstream's message. */
export function nameArgument(ctx: CommandContext, more = false): string {
  const args = ctx.dashAt >= 0 ? ctx.args.slice(0, ctx.dashAt) : ctx.args
  if (args.length === 1 || (more && args.length > 1)) return args[0]!
  throw new UsageError(ctx.path, `exactly one NAME is required, got ${args.length}`)
}

/** Creates the object (or not, for a dry run) and prints what became of it. */
async function sendObject(ctx: CommandContext, made: Obj, failure?: string): Promise<void> {
  const dryRun = dryRunOf(ctx)
  const validation = validationOf(ctx)
  const printer = await changePrinter(ctx, "created", dryRun)
  const mapper = dryRun === "client" ? undefined : await ctx.factory.mapper()
  const { namespace, explicit } = await ctx.factory.namespace()
  const placed =
    explicit && !clusterKinds.has(made["kind"] as string)
      ? { ...made, metadata: { ...made["metadata"], namespace } }
      : made
  let result = ctx.flags.bool("save-config") ? withLastApplied(placed) : placed
  if (mapper) {
    const api = await ctx.factory.api()
    const resource = await mapper.forObject(result)
    const fieldManager = ctx.flags.text("field-manager")
    try {
      result = await createObject(api, { resource, namespace }, result, { fieldManager, dryRun, validation })
    } catch (cause) {
      if (failure === undefined || !(cause instanceof StatusError)) throw cause
      throw new Error(failure + cause.message, { cause })
    }
  }
  ctx.out(printer(ctx.flags.text("output") === "json" ? await typedFields(result) : result))
}

const clusterKinds = new Set(["Namespace", "ClusterRole", "ClusterRoleBinding", "PriorityClass"])
