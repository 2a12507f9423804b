/** `kubectl apply`. Mirrors: kubectl pkg/cmd/apply/apply.go */
import { isNotFound, lastAppliedAnnotation, parseSelector } from "@knarr/apimachinery"
import { defineKubectlCommand, type CommandContext, type KubectlCommand } from "../command.ts"
import { ExitError, UsageError, throwAll, withSource } from "../errors.ts"
import { flag } from "../flags.ts"
import { infoOf, readManifests } from "../files/manifests.ts"
import { lastApplied, withLastApplied } from "../last-applied.ts"
import { objectName, type Obj } from "../object.ts"
import { changePrinter, dryRunOf, outputForm, type DryRun } from "../printers/printer.ts"
import { fetchObject, selectInfos } from "../resources.ts"
import type { Info } from "../info.ts"
import {
  dryRunFlag,
  fieldManagerFlag,
  fileFlags,
  printFlags,
  selectorFlag,
  validateFlag,
} from "../shared-flags.ts"
import { createObject, validationOf } from "../writes.ts"
import { migrateToServerSide, serverSideManager } from "./apply-migration.ts"
import { applyPatch, applyServerSide } from "./apply-patch.ts"

const clientSideManager = "kubectl-client-side-apply"

export const apply = defineKubectlCommand({
  name: "apply",
  summary: "Apply a configuration to a resource by file name or stdin",
  long: "Apply a configuration to a resource by file name or stdin. The resource name must be specified. This resource will be created if it doesn't exist yet. To use 'apply', always create the resource initially with either 'apply' or 'create --save-config'.\n\n JSON and YAML formats are accepted.",
  usage: "(-f FILENAME | -k DIRECTORY)",
  flags: [
    ...fileFlags,
    ...printFlags,
    selectorFlag,
    dryRunFlag,
    validateFlag,
    fieldManagerFlag(clientSideManager),
    flag.bool("all", "Select all resources in the namespace of the specified resource types."),
    flag.text("cascade", {
      default: "background",
      bare: "background",
      help: 'Must be "background", "orphan", or "foreground".',
    }),
    flag.bool("force", "If true, immediately remove resources from API and bypass graceful deletion."),
    flag.bool("force-conflicts", "If true, server-side apply will force the changes against conflicts."),
    flag.int("grace-period", {
      default: "-1",
      help: "Period of time in seconds given to the resource to terminate gracefully.",
    }),
    flag.bool("openapi-patch", {
      default: "true",
      help: "If true, use openapi to calculate diff when the openapi presents and the resource can be found in the openapi spec.",
    }),
    flag.bool("overwrite", {
      default: "true",
      help: "Automatically resolve conflicts between the modified and live configuration by using values from the modified configuration",
    }),
    flag.bool(
      "prune",
      "Automatically delete resource objects, that do not appear in the configs and are created by either apply or create --save-config.",
    ),
    flag.bool("server-side", "If true, apply runs in the server instead of the client."),
    flag.text(
      "subresource",
      "If specified, apply will operate on the subresource of the requested object.  Only allowed when using --server-side.",
    ),
    flag.duration(
      "timeout",
      "The length of time to wait before giving up on a delete, zero means determine a timeout from the size of the object",
    ),
    flag.bool("wait", "If true, wait for resources to be gone before returning. This waits for finalizers."),
  ],
  subcommands: [viewLastApplied(), setLastApplied()],
  run: runApply,
})

async function runApply(ctx: CommandContext): Promise<void> {
  const { flags, args } = ctx
  if (args.length > 0) throw new UsageError(ctx.path, `Unexpected args: [${args.join(" ")}]`)
  if (flags.list("filename").length === 0 && !flags.text("kustomize")) {
    throw new Error("must specify one of -f and -k")
  }
  const serverSide = flags.bool("server-side")
  const dryRun = dryRunOf(ctx)
  if (flags.bool("force-conflicts") && !serverSide)
    throw new Error("--force-conflicts only works with --server-side")
  if (flags.bool("force") && serverSide) throw new Error("--force cannot be used with --server-side")
  if (dryRun === "client" && serverSide) {
    throw new Error(
      "--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)",
    )
  }
  if (flags.bool("prune")) throw new Error("--prune is not supported")
  const validation = validationOf(ctx)
  const { form } = outputForm(ctx)
  const selector = flags.text("selector") ? parseSelector(flags.text("selector")) : undefined
  const applied: Obj[] = []
  const errors: Error[] = []
  let seen = 0
  for (const manifest of await readManifests(ctx)) {
    try {
      const info = await infoOf(ctx, manifest)
      if (selector && !selector.matches(info.object["metadata"]?.labels ?? {})) continue
      seen++
      const { object, operation } = serverSide
        ? await runServerSide(ctx, info, dryRun, validation)
        : await applyClientSide(ctx, info, dryRun, validation)
      applied.push(object)
      if (form === "" || form === "name") ctx.out((await changePrinter(ctx, operation, dryRun))(object))
    } catch (thrown) {
      errors.push(thrown as Error)
    }
  }
  if (seen === 0 && errors.length === 0) throw new Error("no objects passed to apply")
  if (form !== "" && form !== "name" && applied.length > 0) {
    const printer = await changePrinter(ctx, "", dryRun)
    ctx.out(
      printer(
        applied.length === 1
          ? applied[0]!
          : { apiVersion: "v1", items: applied, kind: "List", metadata: { resourceVersion: "" } },
      ),
    )
  }
  throwAll(errors)
}

interface Outcome {
  readonly object: Obj
  readonly operation: string
}

async function applyClientSide(
  ctx: CommandContext,
  info: Info,
  dryRun: DryRun,
  validation: string,
): Promise<Outcome> {
  const { flags } = ctx
  const api = await ctx.factory.api()
  const fieldManager = flags.text("field-manager")
  const source = info.source
  const modified = withLastApplied(info.object)
  if (!info.name) {
    const generated = info.object["metadata"]?.generateName as string | undefined
    if (generated) throw new Error(`from ${generated}: cannot use generate name with apply`)
    throw withSource(
      new Error("resource name may not be empty"),
      "retrieving current configuration of",
      source,
    )
  }
  let current: Obj
  try {
    current = await fetchObject(api, info)
  } catch (thrown) {
    if (!isNotFound(thrown)) {
      const described = `retrieving current configuration of:\nResource: ${JSON.stringify(resourceText(info))}\nName: ${JSON.stringify(info.name)}, Namespace: ${JSON.stringify(info.namespace)}\nfrom server for:`
      throw withSource(thrown, described, source)
    }
    if (dryRun === "client") return { object: modified, operation: "created" }
    try {
      const object = await createObject(api, info, modified, { fieldManager, dryRun, validation })
      return { object, operation: "created" }
    } catch (failed) {
      throw withSource(failed, "creating", source)
    }
  }
  if (current["metadata"]?.deletionTimestamp) {
    ctx.err(`Warning: Detected changes to resource ${info.name} which is currently being deleted.\n`)
  }
  if (!lastApplied(current)) {
    ctx.err(
      `Warning: resource ${info.resource.plural}/${info.name} is missing the ${lastAppliedAnnotation} annotation which is required by kubectl apply. ` +
        "kubectl apply should only be used on resources created declaratively by either kubectl create --save-config or kubectl apply. " +
        "The missing annotation will be patched automatically.\n",
    )
  }
  const { patched, changed } = await applyPatch(ctx, api, info, modified, current, {
    dryRun,
    fieldManager,
    validation,
  })
  return { object: patched, operation: changed ? "configured" : "unchanged" }
}

function resourceText(info: Info): string {
  const { group, version, plural } = info.resource
  return `${group ? `${group}/` : ""}${version}, Resource=${plural}`
}

async function runServerSide(
  ctx: CommandContext,
  info: Info,
  dryRun: DryRun,
  validation: string,
): Promise<Outcome> {
  const { flags } = ctx
  const fieldManager = flags.changed("field-manager") ? flags.text("field-manager") : serverSideManager
  const options = {
    dryRun,
    fieldManager,
    validation,
    force: flags.bool("force-conflicts"),
    ...(flags.text("subresource") ? { subresource: flags.text("subresource") } : {}),
  }
  const api = await ctx.factory.api()
  const applied = await applyServerSide(api, info, options)
  const object = await migrateToServerSide(ctx, api, info, applied, options)
  return { object, operation: "serverside-applied" }
}

function viewLastApplied(): KubectlCommand {
  return {
    name: "view-last-applied",
    summary: "View the latest last-applied-configuration annotations of a resource/object",
    usage: "(TYPE [NAME | -l label] | TYPE/NAME | -f FILENAME)",
    flags: [
      ...fileFlags,
      selectorFlag,
      flag.bool("all", "Select all resources in the namespace of the specified resource types"),
      flag.text("output", {
        short: "o",
        default: "yaml",
        help: "Output format. Must be one of (yaml, json)",
      }),
    ],
    run: async (ctx) => {
      const { stringifyYaml } = await import("@knarr/apimachinery")
      const { indentedJson } = await import("../printers/json.ts")
      const form = ctx.flags.text("output")
      if (form !== "yaml" && form !== "json") {
        throw new UsageError(
          ctx.path,
          `Unexpected -o output mode: ${form}, the flag 'output' must be one of yaml|json`,
        )
      }
      const found = await selectInfos(ctx, { args: ctx.args, latest: true, all: ctx.flags.bool("all") })
      throwAll(found.errors)
      for (const info of found.infos) {
        const config = lastApplied(info.object)
        if (!config) {
          throw new Error(`no last-applied-configuration annotation found on resource: ${info.name}\n`)
        }
        ctx.out(form === "json" ? indentedJson(config).replaceAll("    ", "  ") : stringifyYaml(config))
      }
    },
  }
}

function setLastApplied(): KubectlCommand {
  return {
    name: "set-last-applied",
    summary: "Set the last-applied-configuration annotation on a live object to match the contents of a file",
    usage: "-f FILENAME",
    flags: [
      ...fileFlags,
      ...printFlags,
      dryRunFlag,
      flag.bool(
        "create-annotation",
        "Will create 'last-applied-configuration' annotations if current objects doesn't have one",
      ),
    ],
    run: async (ctx) => {
      const { patchObject } = await import("../writes.ts")
      const dryRun = dryRunOf(ctx)
      const api = await ctx.factory.api()
      const printer = await changePrinter(ctx, "configured", dryRun)
      for (const manifest of await readManifests(ctx)) {
        const info = await infoOf(ctx, manifest)
        const current = await fetchObject(api, info)
        if (!lastApplied(current) && !ctx.flags.bool("create-annotation")) {
          throw new ExitError(
            1,
            `error: no last-applied-configuration annotation found on resource: ${objectName(current)}, to create the annotation, run the command with --create-annotation`,
          )
        }
        const annotations = withLastApplied(info.object)["metadata"].annotations as Obj
        const patch = {
          metadata: { annotations: { [lastAppliedAnnotation]: annotations[lastAppliedAnnotation] } },
        }
        const object =
          dryRun === "client" ? current : await patchObject(api, info, "merge", patch, { dryRun })
        ctx.out(printer(object))
      }
    },
  }
}
