/** `kubectl set image|env|resources|serviceaccount|selector`. Mirrors: kubectl pkg/cmd/set */
import {
  createTwoWayMergePatch,
  createMergePatch,
  goQuote,
  jsonClone,
  jsonEqual,
  parseToLabelSelector,
  type JsonObject,
} from "@knarr/apimachinery"
import { defineKubectlCommand, type CommandContext, type KubectlCommand } from "../command.ts"
import { UsageError } from "../errors.ts"
import { flag, type FlagSpec } from "../flags.ts"
import { at, type Obj } from "../object.ts"
import { changePrinter, dryRunOf } from "../printers/printer.ts"
import { fetchObject, forEachInfo, selectInfos } from "../resources.ts"
import {
  allFlag,
  dryRunFlag,
  fieldManagerFlag,
  fileFlags,
  localFlag,
  printFlags,
  selectorFlag,
} from "../shared-flags.ts"
import { patchObject } from "../writes.ts"
import { parseResourceList } from "./create-simple.ts"

const baseFlags: readonly FlagSpec[] = [
  ...fileFlags,
  ...printFlags,
  selectorFlag,
  allFlag,
  localFlag,
  dryRunFlag,
  fieldManagerFlag("kubectl-set"),
]

/** The pod spec in an object, wherever its kind has it. */
export function podSpecOf(obj: Obj): Obj | undefined {
  if (obj["kind"] === "Pod") return obj["spec"] as Obj
  if (obj["kind"] === "CronJob") return at(obj, "spec", "jobTemplate", "spec", "template", "spec") as Obj
  return at(obj, "spec", "template", "spec") as Obj | undefined
}

/** Applies a change to every object and sends what is different. Returns how many objects there were. */
async function changeObjects(
  ctx: CommandContext,
  args: readonly string[],
  done: string,
  change: (obj: Obj) => Promise<void> | void,
): Promise<number> {
  const { flags } = ctx
  const dryRun = dryRunOf(ctx)
  const local = flags.bool("local")
  const printer = await changePrinter(ctx, done, dryRun)
  const found = await selectInfos(ctx, { args, latest: true, local, all: flags.bool("all") })
  const { builtinKind } = await import("../builtin-kinds.ts")
  await forEachInfo(found, async (info) => {
    const before = info.object
    const after = jsonClone(before) as Obj
    await change(after)
    if (jsonEqual(before, after)) {
      if (local || dryRun === "client") ctx.out(printer(after))
      return
    }
    if (local || dryRun === "client") return ctx.out(printer(after))
    const kind = builtinKind(before)
    const patch = kind
      ? createTwoWayMergePatch(before as JsonObject, after as JsonObject, kind.schema)
      : createMergePatch(before as JsonObject, after as JsonObject)
    const fieldManager = flags.text("field-manager")
    const options = { dryRun, fieldManager }
    ctx.out(
      printer(await patchObject(await ctx.factory.api(), info, kind ? "strategic" : "merge", patch, options)),
    )
  })
  return found.infos.length
}

function splitPairs(args: readonly string[], removable = false): { resources: string[]; pairs: string[] } {
  const isPair = (arg: string): boolean =>
    arg.includes("=") || (removable && arg.endsWith("-") && arg.length > 1)
  const first = args.findIndex(isPair)
  return first < 0
    ? { resources: [...args], pairs: [] }
    : { resources: args.slice(0, first), pairs: args.slice(first) }
}

function required(ctx: CommandContext, resources: readonly string[]): void {
  if (resources.length > 0 || ctx.flags.list("filename").length > 0) return
  throw new Error("one or more resources must be specified as <resource> <name> or <resource>/<name>")
}

const image: KubectlCommand = {
  name: "image",
  summary: "Update the image of a pod template",
  usage:
    "(-f FILENAME | TYPE NAME) CONTAINER_NAME_1=CONTAINER_IMAGE_1 ... CONTAINER_NAME_N=CONTAINER_IMAGE_N",
  flags: baseFlags,
  run: async (ctx) => {
    const { resources, pairs } = splitPairs(ctx.args)
    required(ctx, resources)
    if (pairs.length === 0) throw new Error("at least one image update is required")
    const wanted = new Map(
      pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]),
    )
    if (wanted.size > 1 && wanted.has("*"))
      throw new Error(
        "all containers are already specified by *, but saw more than one container_name=container_image pairs",
      )
    await changeObjects(ctx, resources, "image updated", (obj) => {
      const spec = podSpecOf(obj)
      if (!spec) return
      for (const [name, value] of wanted) {
        const all = [...((spec["initContainers"] ?? []) as Obj[]), ...(spec["containers"] as Obj[])]
        const found = all.filter((one) => name === "*" || one["name"] === name)
        if (found.length === 0) throw new Error(`unable to find container named ${goQuote(name)}`)
        for (const one of found) one["image"] = value
      }
    })
  },
}

const resources: KubectlCommand = {
  name: "resources",
  summary: "Update resource requests/limits on objects with pod templates",
  usage: "(-f FILENAME | TYPE NAME)  ([--limits=LIMITS & --requests=REQUESTS]",
  flags: [
    ...baseFlags,
    flag.text("containers", {
      short: "c",
      default: "*",
      help: "The names of containers in the selected pod templates to change, all containers are selected by default - may use wildcards",
    }),
    flag.text("limits", "The resource requirement requests for this container."),
    flag.text("requests", "The resource requirement requests for this container."),
  ],
  run: async (ctx) => {
    const { flags } = ctx
    const limits = parseResourceList(flags.text("limits"))
    const requests = parseResourceList(flags.text("requests"))
    if (!flags.text("limits") && !flags.text("requests")) {
      throw new Error("you must specify an update to requests or limits (in the form of --requests/--limits)")
    }
    required(ctx, ctx.args)
    const pattern = globOf(flags.text("containers"))
    await changeObjects(ctx, ctx.args, "resource requirements updated", (obj) => {
      const spec = podSpecOf(obj)
      const chosen = ((spec?.["containers"] ?? []) as Obj[]).filter((one) =>
        pattern.test(one["name"] as string),
      )
      if (chosen.length === 0) throw new Error(`unable to find container named ${flags.text("containers")}`)
      for (const one of chosen) {
        const own = (one["resources"] ??= {}) as Obj
        if (Object.keys(limits).length > 0) own["limits"] = { ...own["limits"], ...limits }
        if (Object.keys(requests).length > 0) own["requests"] = { ...own["requests"], ...requests }
      }
    })
  },
}

function globOf(text: string): RegExp {
  return new RegExp(`^${text.replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`)
}

const env: KubectlCommand = {
  name: "env",
  summary: "Update environment variables on a pod template",
  usage: "RESOURCE/NAME KEY_1=VAL_1 ... KEY_N=VAL_N",
  flags: [
    ...baseFlags,
    flag.text("containers", {
      short: "c",
      default: "*",
      help: "The names of containers in the selected pod templates to change - may use wildcards",
    }),
    flag.array("env", {
      short: "e",
      help: "Specify a key-value pair for an environment variable to set into each container.",
    }),
    flag.text("from", "The name of a resource from which to inject environment variables"),
    flag.csv("keys", "Comma-separated list of keys to import from specified resource"),
    flag.bool(
      "list",
      "If true, display the environment and any changes in the standard format. this flag will removed when we have kubectl view env.",
    ),
    flag.bool("overwrite", {
      default: "true",
      help: "If true, allow environment to be overwritten, otherwise reject updates that overwrite existing environment.",
    }),
    flag.text("prefix", "Prefix to append to variable names"),
    flag.bool("resolve", "If true, show secret or configmap references when listing variables"),
  ],
  run: setEnv,
}

async function setEnv(ctx: CommandContext): Promise<void> {
  const { flags } = ctx
  const split = splitPairs(ctx.args, true)
  required(ctx, split.resources)
  const pairs = [...split.pairs, ...flags.list("env")]
  const set: Obj[] = []
  const remove: string[] = []
  for (const pair of pairs) {
    const equals = pair.indexOf("=")
    if (equals > 0) set.push({ name: pair.slice(0, equals), value: pair.slice(equals + 1) })
    else if (pair.endsWith("-")) remove.push(pair.slice(0, -1))
    else throw new Error(`unknown environment variable: ${pair}`)
  }
  set.push(...(await importedEnv(ctx)))
  const pattern = globOf(flags.text("containers"))
  if (flags.bool("list")) {
    const found = await selectInfos(ctx, { args: split.resources, latest: true, all: flags.bool("all") })
    for (const info of found.infos) {
      for (const one of ((podSpecOf(info.object)?.["containers"] ?? []) as Obj[]).filter((c) =>
        pattern.test(c["name"]),
      )) {
        ctx.out(`# ${info.resource.kind} ${info.name}, container ${one["name"]}\n`)
        for (const entry of (one["env"] ?? []) as Obj[]) ctx.out(`${entry["name"]}=${entry["value"] ?? ""}\n`)
      }
    }
    return
  }
  if (set.length === 0 && remove.length === 0)
    throw new Error("at least one environment variable must be provided")
  await changeObjects(ctx, split.resources, "env updated", (obj) => {
    for (const one of ((podSpecOf(obj)?.["containers"] ?? []) as Obj[]).filter((c) =>
      pattern.test(c["name"]),
    )) {
      const list = [...((one["env"] ?? []) as Obj[])]
      for (const entry of set) {
        const index = list.findIndex((known) => known["name"] === entry["name"])
        if (index < 0) list.push(entry)
        else if (flags.bool("overwrite")) list[index] = entry
        else
          throw new Error(
            `'${entry["name"]}' already has a value (${list[index]!["value"] ?? ""}), and --overwrite is false`,
          )
      }
      const kept = list.filter((entry) => !remove.includes(entry["name"] as string))
      if (kept.length > 0) one["env"] = kept
      else delete one["env"]
    }
  })
}

async function importedEnv(ctx: CommandContext): Promise<Obj[]> {
  const from = ctx.flags.text("from")
  if (!from) return []
  const [type, name] = from.split("/") as [string, string]
  const resource = await (await ctx.factory.mapper()).resource(type)
  const field =
    resource.kind === "ConfigMap" ? "configMapKeyRef" : resource.kind === "Secret" ? "secretKeyRef" : ""
  if (field === "") throw new Error(`unsupported resource specified in --from`)
  const { namespace } = await ctx.factory.namespace()
  const source = await fetchObject(await ctx.factory.api(), { resource, namespace, name })
  const keys = ctx.flags.list("keys")
  return Object.keys((source["data"] ?? {}) as Obj)
    .filter((key) => keys.length === 0 || keys.includes(key))
    .sort()
    .map((key) => ({
      name: ctx.flags.text("prefix") + key.toUpperCase().replaceAll(/[^A-Z0-9_]/g, "_"),
      valueFrom: { [field]: { key, name } },
    }))
}

const serviceAccount: KubectlCommand = {
  name: "serviceaccount",
  aliases: ["sa"],
  summary: "Update the service account of a resource",
  usage: "(-f FILENAME | TYPE NAME) SERVICE_ACCOUNT",
  flags: baseFlags,
  run: async (ctx) => {
    const name = ctx.args.at(-1)
    if (!name) throw new Error("serviceaccount is required")
    const rest = ctx.args.slice(0, -1)
    required(ctx, rest)
    await changeObjects(ctx, rest, "serviceaccount updated", (obj) => {
      const spec = podSpecOf(obj)
      if (spec) spec["serviceAccountName"] = name
    })
  },
}

const selector: KubectlCommand = {
  name: "selector",
  summary: "Set the selector on a resource",
  usage: "(-f FILENAME | TYPE NAME) EXPRESSIONS [--resource-version=version]",
  flags: [
    ...baseFlags.filter((spec) => spec.name !== "selector"),
    flag.text(
      "resource-version",
      "If non-empty, the selectors update will only succeed if this is the current resource-version for the object.",
    ),
  ],
  run: async (ctx) => {
    const expression = ctx.args.at(-1)
    if (!expression || ctx.args.length < 2)
      throw new UsageError(
        ctx.path,
        "one or more resources must be specified as <resource> <name> or <resource>/<name>",
      )
    const wanted = parseToLabelSelector(expression)
    await changeObjects(ctx, ctx.args.slice(0, -1), "selector updated", (obj) => {
      if (obj["kind"] !== "Service") throw new Error(`setting a selector is only supported for Services`)
      obj["spec"].selector = wanted.matchLabels ?? {}
    })
  },
}

export const set = defineKubectlCommand({
  name: "set",
  summary: "Set specific features on objects",
  long: "Configure application resources.\n\n These commands help you make changes to existing application resources.",
  usage: "SUBCOMMAND",
  subcommands: [env, image, resources, selector, serviceAccount],
})
