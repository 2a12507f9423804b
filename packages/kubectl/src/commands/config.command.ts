/** `kubectl config`. Mirrors: kubectl pkg/cmd/config */
import { stringifyYaml } from "@knarr/apimachinery"
import { defineKubectlCommand, type CommandContext, type KubectlCommand } from "../command.ts"
import { UsageError } from "../errors.ts"
import { flag } from "../flags.ts"
import { changeKubeconfig, findEntry, type AnyConfig, type EntryList } from "../kubeconfig-edit.ts"
import type { Obj } from "../object.ts"
import { indentedJson } from "../printers/json.ts"
import { objectPrinter, outputForm } from "../printers/printer.ts"
import { TabWriter, tableTabs } from "../printers/tab-writer.ts"
import { printFlags } from "../shared-flags.ts"
import { setCluster, setContext, setCredentials } from "./config-set.ts"

const view: KubectlCommand = {
  name: "view",
  summary: "Display merged kubeconfig settings or a specified kubeconfig file",
  flags: [
    ...printFlags,
    flag.bool(
      "flatten",
      "Flatten the resulting kubeconfig file into self-contained output (useful for creating portable kubeconfig files)",
    ),
    flag.bool("merge", { default: "true", help: "Merge the full hierarchy of kubeconfig files" }),
    flag.bool("minify", "Remove all information not used by current-context from the output"),
    flag.bool("raw", "Display raw byte data and sensitive data"),
  ],
  run: async (ctx) => {
    const { flags } = ctx
    const { preferences: _, ...config } = (await ctx.factory.kubeconfig()) as unknown as AnyConfig
    let shown: AnyConfig = config as AnyConfig
    const current = flags.text("context") || shown["current-context"]
    if (flags.bool("minify")) {
      const context = findEntry(shown, "contexts", current)
      if (!context)
        throw new Error(
          current ? `cannot locate context ${current}` : "current-context must exist in order to minify",
        )
      shown = {
        ...shown,
        "current-context": current,
        contexts: [context],
        clusters: shown.clusters.filter((one) => one.name === context["context"].cluster),
        users: shown.users.filter((one) => one.name === context["context"].user),
      }
    }
    if (!flags.bool("raw") && !flags.bool("flatten")) shown = redacted(shown)
    const { form, template } = outputForm(ctx)
    if (form === "json") ctx.out(indentedJson(shown))
    else if (form === "" || form === "yaml") ctx.out(stringifyYaml(shown))
    else ctx.out((await objectPrinter(ctx, form, template))(shown))
  },
}

function redacted(config: AnyConfig): AnyConfig {
  const hide = (holder: Obj, names: readonly string[], text: string): Obj =>
    Object.fromEntries(
      Object.entries(holder).map(([key, value]) => [key, names.includes(key) && value ? text : value]),
    )
  return {
    ...config,
    clusters: config.clusters.map((one) => ({
      ...one,
      cluster: hide(one["cluster"] as Obj, ["certificate-authority-data"], "DATA+OMITTED"),
    })),
    users: config.users.map((one) => ({
      ...one,
      user: hide(
        hide(one["user"] as Obj, ["client-certificate-data", "client-key-data"], "DATA+OMITTED"),
        ["token", "password"],
        "REDACTED",
      ),
    })),
  }
}

const currentContext: KubectlCommand = {
  name: "current-context",
  summary: "Display the current-context",
  run: async (ctx) => {
    const current = (await ctx.factory.kubeconfig())["current-context"]
    if (!current) throw new Error("current-context is not set")
    ctx.out(`${current}\n`)
  },
}

const getContexts: KubectlCommand = {
  name: "get-contexts",
  summary: "Describe one or many contexts",
  usage: "[(-o|--output=)name)]",
  flags: [
    flag.bool(
      "no-headers",
      "When using the default or custom-column output format, don't print headers (default print headers).",
    ),
    flag.text("output", { short: "o", help: "Output format. One of: (name)." }),
  ],
  run: async (ctx) => {
    const config = (await ctx.factory.kubeconfig()) as unknown as AnyConfig
    const names = ctx.args.length > 0 ? ctx.args : config.contexts.map((one) => one.name).toSorted()
    const onlyNames = ctx.flags.text("output") === "name"
    const writer = new TabWriter(tableTabs, ctx.out)
    if (!onlyNames && !ctx.flags.bool("no-headers"))
      writer.write("CURRENT\tNAME\tCLUSTER\tAUTHINFO\tNAMESPACE\n")
    const missing: string[] = []
    for (const name of names) {
      const context = findEntry(config, "contexts", name)?.["context"] as Obj | undefined
      if (!context) {
        missing.push(name)
        continue
      }
      const mark = name === config["current-context"] ? "*" : ""
      writer.write(
        onlyNames
          ? `${name}\n`
          : `${mark}\t${name}\t${context["cluster"]}\t${context["user"]}\t${context["namespace"] ?? ""}\n`,
      )
    }
    writer.flush()
    if (missing.length > 0) throw new Error(missing.map((name) => `context ${name} not found`).join("\n"))
  },
}

function names(name: string, list: EntryList, summary: string): KubectlCommand {
  return {
    name,
    summary,
    run: async (ctx) => {
      const config = (await ctx.factory.kubeconfig()) as unknown as AnyConfig
      ctx.out(
        `NAME\n${config[list]
          .map((one) => `${one.name}\n`)
          .toSorted()
          .join("")}`,
      )
    },
  }
}

function one(ctx: CommandContext, count = 1): readonly string[] {
  if (ctx.args.length !== count) throw new UsageError(ctx.path, `unexpected args: [${ctx.args.join(" ")}]`)
  return ctx.args
}

const useContext: KubectlCommand = {
  name: "use-context",
  aliases: ["use"],
  summary: "Set the current-context in a kubeconfig file",
  usage: "CONTEXT_NAME",
  run: async (ctx) => {
    const [name] = one(ctx)
    const merged = (await ctx.factory.kubeconfig()) as unknown as AnyConfig
    if (!findEntry(merged, "contexts", name!)) throw new Error(`no context exists with the name: "${name}"`)
    await changeKubeconfig(ctx, { list: "contexts", name: name! }, (config) => {
      config["current-context"] = name!
    })
    ctx.out(`Switched to context "${name}".\n`)
  },
}

function deleter(name: string, list: EntryList, noun: string): KubectlCommand {
  return {
    name,
    summary: `Delete the specified ${noun} from the kubeconfig`,
    usage: "NAME",
    run: async (ctx) => {
      const [target] = one(ctx)
      const file = await changeKubeconfig(ctx, { list, name: target! }, (config, path) => {
        if (!findEntry(config, list, target!))
          throw new Error(`cannot delete ${noun} ${target}, not in ${path}`)
        config[list] = config[list].filter((entry) => entry.name !== target)
      })
      ctx.out(`deleted ${noun} ${target} from ${file}\n`)
    },
  }
}

const renameContext: KubectlCommand = {
  name: "rename-context",
  summary: "Rename a context from the kubeconfig file",
  usage: "CONTEXT_NAME NEW_NAME",
  run: async (ctx) => {
    const [from, to] = one(ctx, 2) as [string, string]
    await changeKubeconfig(ctx, { list: "contexts", name: from }, (config, path) => {
      const entry = findEntry(config, "contexts", from)
      if (!entry) throw new Error(`cannot rename the context "${from}", it's not in ${path}`)
      if (findEntry(config, "contexts", to))
        throw new Error(`cannot rename the context "${from}", the context "${to}" already exists in ${path}`)
      entry.name = to
      if (config["current-context"] === from) config["current-context"] = to
    })
    ctx.out(`Context "${from}" renamed to "${to}".\n`)
  },
}

export const config = defineKubectlCommand({
  name: "config",
  summary: "Modify kubeconfig files",
  usage: "SUBCOMMAND",
  subcommands: [
    currentContext,
    deleter("delete-cluster", "clusters", "cluster"),
    deleter("delete-context", "contexts", "context"),
    deleter("delete-user", "users", "user"),
    names("get-clusters", "clusters", "Display clusters defined in the kubeconfig"),
    getContexts,
    names("get-users", "users", "Display users defined in the kubeconfig"),
    renameContext,
    setCluster,
    setContext,
    setCredentials,
    useContext,
    view,
  ],
})
