/** `kubectl create`: manifests, and generators as subcommands. Mirrors: kubectl pkg/cmd/create/create.go */
import { goQuote, parseSelector } from "@knarr/apimachinery"
import { defineKubectlCommand, type CommandContext } from "../command.ts"
import { ExitError, throwAll, withSource } from "../errors.ts"
import { flag } from "../flags.ts"
import { infoOf, readManifests } from "../files/manifests.ts"
import { withLastApplied } from "../last-applied.ts"
import { changePrinter, dryRunOf } from "../printers/printer.ts"
import {
  dryRunFlag,
  fieldManagerFlag,
  fileFlags,
  printFlags,
  selectorFlag,
  validateFlag,
} from "../shared-flags.ts"
import { createObject, validationOf } from "../writes.ts"
import { createConfigMap, createSecret } from "./create-config.ts"
import { createIngress } from "./create-ingress.ts"
import { createClusterRole, createClusterRoleBinding, createRole, createRoleBinding } from "./create-rbac.ts"
import {
  createNamespace,
  createPdb,
  createPriorityClass,
  createQuota,
  createServiceAccount,
  createToken,
} from "./create-simple.ts"
import { createService } from "./create-service.ts"
import { createCronJob, createDeployment, createJob } from "./create-workload.ts"

export const create = defineKubectlCommand({
  name: "create",
  summary: "Create a resource from a file or from stdin",
  long: "Create a resource from a file or from stdin.\n\n JSON and YAML formats are accepted.",
  usage: "-f FILENAME",
  flags: [
    ...fileFlags,
    ...printFlags,
    dryRunFlag,
    fieldManagerFlag("kubectl-create"),
    selectorFlag,
    validateFlag,
    flag.bool("edit", "Edit the API resource before creating"),
    flag.text("raw", "Raw URI to POST to the server.  Uses the transport specified by the kubeconfig file."),
    flag.bool("save-config", "If true, the configuration of current object will be saved in its annotation."),
  ],
  subcommands: [
    createClusterRole,
    createClusterRoleBinding,
    createConfigMap,
    createCronJob,
    createDeployment,
    createIngress,
    createJob,
    createNamespace,
    createPdb,
    createPriorityClass,
    createQuota,
    createRole,
    createRoleBinding,
    createSecret,
    createService,
    createServiceAccount,
    createToken,
  ],
  run: runCreate,
})

async function runCreate(ctx: CommandContext): Promise<void> {
  const { flags, args } = ctx
  if (args.length > 0) {
    throw new ExitError(
      1,
      `error: Unexpected args: [${args.join(" ")}]\nSee '${ctx.path} -h' for help and examples`,
    )
  }
  if (flags.list("filename").length === 0 && !flags.text("kustomize")) {
    ctx.err("error: must specify one of -f and -k\n\n")
    const { commandHelp } = await import("../help.ts")
    ctx.out(commandHelp(ctx.path, create))
    throw new ExitError(1)
  }
  const dryRun = dryRunOf(ctx)
  const validation = validationOf(ctx)
  if (flags.text("raw")) return createRaw(ctx)
  const printer = await changePrinter(ctx, "created", dryRun)
  const selector = flags.text("selector") ? parseSelector(flags.text("selector")) : undefined
  const errors: Error[] = []
  let count = 0
  for (const manifest of await readManifests(ctx)) {
    try {
      const info = await infoOf(ctx, manifest)
      if (selector && !selector.matches(info.object["metadata"]?.labels ?? {})) continue
      const wanted = flags.bool("save-config") ? withLastApplied(info.object) : info.object
      if (dryRun !== "client") {
        const api = await ctx.factory.api()
        try {
          info.object = await createObject(api, info, wanted, {
            fieldManager: flags.text("field-manager"),
            dryRun,
            validation,
          })
        } catch (thrown) {
          throw withSource(thrown, "creating", info.source)
        }
      } else info.object = wanted
      count++
      ctx.out(printer(info.object))
    } catch (thrown) {
      errors.push(thrown as Error)
    }
  }
  throwAll(errors)
  if (count === 0) throw new Error("no objects passed to create")
}

async function createRaw(ctx: CommandContext): Promise<void> {
  const { readSources } = await import("../files/sources.ts")
  const sources = await readSources(ctx)
  if (sources.length !== 1)
    throw new Error(`--raw can only use a single local file or stdin, not ${goQuote("")}`)
  const api = await ctx.factory.api()
  const response = await api.send("POST", ctx.flags.text("raw"), { body: sources[0]!.text })
  ctx.out((await response.buffer()).toString("utf8"))
}
