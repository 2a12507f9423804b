/** `kubectl get`. Mirrors: kubectl pkg/cmd/get/get.go */
import { readFile } from "node:fs/promises"
import { goQuote, isNotFound } from "@knarr/apimachinery"
import { defineKubectlCommand, type CommandContext } from "../command.ts"
import { UsageError, throwAll } from "../errors.ts"
import { flag } from "../flags.ts"
import { infosOf, readManifests } from "../files/manifests.ts"
import { userPath } from "../files/sources.ts"
import { at, isList, type Obj } from "../object.ts"
import {
  customColumnsFromSpec,
  customColumnsFromTemplate,
  type GetPrinter,
} from "../printers/custom-columns.ts"
import { objectForms, objectPrinter, outputForm } from "../printers/printer.ts"
import { sortObjects } from "../printers/sort.ts"
import { TabWriter, tableTabs } from "../printers/tab-writer.ts"
import { isTable, TablePrinter, type Table } from "../printers/table.ts"
import { fetchObject, listPages, targetsOf, type Target } from "../resources.ts"
import type { Info } from "../info.ts"
import {
  allNamespacesFlag,
  chunkSizeFlag,
  fieldSelectorFlag,
  fileFlags,
  printFlags,
  selectorFlag,
} from "../shared-flags.ts"
import { watchTargets } from "./get-watch.ts"

const tableAccept =
  "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
const hint = 'Use "kubectl api-resources" for a complete list of supported resources.'
const forms = objectForms + ", custom-columns, custom-columns-file, wide"

export const get = defineKubectlCommand({
  name: "get",
  summary: "Display one or many resources",
  usage:
    "[(-o|--output=)json|yaml|kyaml|name|go-template|go-template-file|template|templatefile|jsonpath|jsonpath-as-json|jsonpath-file|custom-columns|custom-columns-file|wide] (TYPE[.VERSION][.GROUP] [NAME | -l label] | TYPE[.VERSION][.GROUP]/NAME ...) [flags]",
  long: "Display one or many resources.\n\n Prints a table of the most important information about the specified resources. You can filter the list using a label selector and the --selector flag. If the desired resource type is namespaced you will only see results in the current namespace if you don't specify any namespace.\n\n By specifying the output as 'template' and providing a Go template as the value of the --template flag, you can filter the attributes of the fetched resources.\n\nUse \"kubectl api-resources\" for a complete list of supported resources.",
  flags: [
    ...fileFlags,
    ...printFlags,
    allNamespacesFlag,
    chunkSizeFlag,
    selectorFlag,
    fieldSelectorFlag,
    flag.bool(
      "ignore-not-found",
      "If set to true, suppresses NotFound error for specific objects that do not exist.",
    ),
    flag.csv("label-columns", {
      short: "L",
      help: "Accepts a comma separated list of labels that are going to be presented as columns.",
    }),
    flag.bool(
      "no-headers",
      "When using the default or custom-column output format, don't print headers (default print headers).",
    ),
    flag.bool(
      "output-watch-events",
      "Output watch event objects when --watch or --watch-only is used. Existing objects are output as initial ADDED events.",
    ),
    flag.text(
      "raw",
      "Raw URI to request from the server.  Uses the transport specified by the kubeconfig file.",
    ),
    flag.bool("server-print", {
      default: "true",
      help: "If true, have the server return the appropriate table output. Supports extension APIs and CRDs.",
    }),
    flag.bool("show-kind", "If present, list the resource type for the requested object(s)."),
    flag.bool(
      "show-labels",
      "When printing, show all labels as the last column (default hide labels column)",
    ),
    flag.text(
      "sort-by",
      "If non-empty, sort list types using this field specification.  The field specification is expressed as a JSONPath expression (e.g. '{.metadata.name}').",
    ),
    flag.text("subresource", "If specified, gets the subresource of the requested object."),
    flag.bool("watch", {
      short: "w",
      help: "After listing/getting the requested object, watch for changes.",
    }),
    flag.bool("watch-only", "Watch for changes to the requested object(s), without listing/getting first."),
  ],
  run: runGet,
})

async function runGet(ctx: CommandContext): Promise<void> {
  const { flags, args } = ctx
  const { form, template } = outputForm(ctx)
  if (flags.text("raw")) return rawGet(ctx)
  const fromFiles = flags.list("filename").length > 0 || flags.text("kustomize") !== ""
  if (args.length === 0 && !fromFiles) {
    ctx.err(`You must specify the type of resource to get. ${hint}\n\n`)
    throw new UsageError(
      ctx.path,
      'Required resource not specified.\nUse "kubectl explain <resource>" for a detailed description of that resource (e.g. kubectl explain pods).',
    )
  }
  if (flags.bool("show-labels") && form !== "" && form !== "wide" && !form.startsWith("custom-columns")) {
    throw new Error(`--show-labels option cannot be used with ${form} printer`)
  }
  if (flags.bool("output-watch-events") && !flags.bool("watch") && !flags.bool("watch-only")) {
    throw new UsageError(
      ctx.path,
      "--output-watch-events option can only be used with --watch or --watch-only",
    )
  }
  if (flags.list("label-columns").length > 0 && form !== "" && form !== "wide") {
    throw new Error(`--label-columns option cannot be used with ${form} printer`)
  }
  const human = form === "" || form === "wide"
  const printer = human ? undefined : await formPrinter(ctx, form, template)
  if (flags.bool("watch") || flags.bool("watch-only")) return watchTargets(ctx, printer, tableAccept)

  const found = await fetchAll(ctx, human)
  if (human) printTables(ctx, form === "wide", found)
  else printObjects(ctx, printer!, found)
  throwAll(found.errors)
}

async function formPrinter(ctx: CommandContext, form: string, template: string): Promise<GetPrinter> {
  const noHeaders = ctx.flags.bool("no-headers")
  if (form.startsWith("custom-columns")) {
    const equals = form.indexOf("=")
    const rest = equals < 0 ? template : form.slice(equals + 1)
    if (form.split("=")[0] === "custom-columns") return customColumnsFromSpec(rest, noHeaders)
    if (rest === "") throw new Error("custom-columns format specified but no custom columns given")
    return customColumnsFromTemplate(await readFile(userPath(ctx, rest), "utf8"), noHeaders)
  }
  return objectPrinter(ctx, form, template, forms)
}

interface Found {
  readonly infos: Info[]
  readonly errors: Error[]
  readonly single: boolean
  readonly targets: readonly Target[]
}

async function fetchAll(ctx: CommandContext, human: boolean): Promise<Found> {
  const { flags } = ctx
  const sorting = flags.text("sort-by") !== ""
  const table = human && flags.bool("server-print")
  const options = {
    ...(table ? { accept: tableAccept } : {}),
    query: table && sorting ? { includeObject: "Object" } : {},
    ...(flags.text("subresource") ? { subresource: flags.text("subresource") } : {}),
  }
  const api = await ctx.factory.api()
  const fromFiles = flags.list("filename").length > 0 || flags.text("kustomize") !== ""
  const targets: Target[] = fromFiles
    ? await infosOf(ctx, await readManifests(ctx))
    : await targetsOf(ctx, { args: ctx.args, wholeCollections: true })
  const infos: Info[] = []
  const errors: Error[] = []
  for (const target of targets) {
    try {
      if (target.name !== undefined) {
        infos.push({ ...target, name: target.name, object: await fetchObject(api, target, options) })
        continue
      }
      for await (const object of listPages(ctx, api, target, options)) {
        infos.push({ ...target, name: "", object })
      }
    } catch (thrown) {
      if (!(flags.bool("ignore-not-found") && isNotFound(thrown))) errors.push(thrown as Error)
    }
  }
  return { infos, errors, targets, single: targets.length === 1 && targets[0]!.name !== undefined }
}

function printTables(ctx: CommandContext, wide: boolean, found: Found): void {
  const { flags } = ctx
  const kinds = new Set(found.infos.map((info) => `${info.resource.kind}.${info.resource.group}`))
  const showKind = flags.bool("show-kind") || kinds.size > 1
  let written = 0
  let separate = false
  const writer = new TabWriter(tableTabs, (text) => {
    ctx.out(separate ? `\n${text}` : text)
    separate = false
    written += text.length
  })
  const sortBy = flags.text("sort-by")
  if (sortBy !== "") mergeSortedTables(found.infos, sortBy)
  let last: Info["resource"] | undefined
  let printer: TablePrinter | undefined
  for (const info of found.infos) {
    if (!printer || !last || last.plural !== info.resource.plural || last.group !== info.resource.group) {
      writer.flush()
      writer.forgetWidths()
      if (last && !flags.bool("no-headers") && written > 0) separate = true
      printer = new TablePrinter({
        noHeaders: flags.bool("no-headers"),
        wide,
        withNamespace: flags.bool("all-namespaces") && info.resource.namespaced,
        kind: showKind ? { kind: info.resource.kind, group: info.resource.group } : undefined,
        columnLabels: flags.list("label-columns"),
        showLabels: flags.bool("show-labels"),
      })
      last = info.resource
    }
    printer.print(asTable(info.object), writer)
  }
  writer.flush()
  if (written > 0 || flags.bool("ignore-not-found") || found.errors.length > 0) return
  const namespaced = found.infos.length > 0 && found.infos.every((info) => info.resource.namespaced)
  const namespace = found.targets.find((target) => target.namespace)?.namespace
  if (namespaced && namespace && !flags.bool("all-namespaces")) {
    ctx.err(`No resources found in ${namespace} namespace.\n`)
  } else ctx.err("No resources found\n")
}

function mergeSortedTables(infos: Info[], sortBy: string): void {
  const groups = Map.groupBy(infos, (info) => info.resource)
  infos.length = 0
  for (const pages of groups.values()) {
    const table = asTable(pages[0]!.object)
    const rows = pages.flatMap((page) => asTable(page.object).rows ?? [])
    const order = sortObjects(
      rows.map((row) => row.object ?? {}),
      sortBy,
    )
    infos.push({ ...pages[0]!, object: { ...table, rows: order.map((i) => rows[i]!) } })
  }
}

/** What a server without tables answers is printed by name and age. */
function asTable(obj: Obj): Table {
  if (isTable(obj)) return obj
  const items = isList(obj) ? (obj["items"] as Obj[]) : [obj]
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    columnDefinitions: [
      { name: "Name", type: "string", format: "name" },
      { name: "Created At", type: "date" },
    ],
    rows: items.map((item) => ({
      cells: [at(item, "metadata", "name"), at(item, "metadata", "creationTimestamp")],
      object: item,
    })),
  }
}

function printObjects(ctx: CommandContext, printer: GetPrinter, found: Found): void {
  const { flags } = ctx
  const objects = found.infos.flatMap((info) =>
    info.name === "" ? ((info.object["items"] ?? []) as Obj[]) : [info.object],
  )
  if (found.infos.length === 0 && (found.errors.length > 0 || flags.bool("ignore-not-found"))) return
  const sortBy = flags.text("sort-by")
  const sorted = sortBy === "" ? objects : sortObjects(objects, sortBy).map((i) => objects[i]!)
  const whole: Obj =
    found.single && sorted.length === 1
      ? sorted[0]!
      : { apiVersion: "v1", items: sorted, kind: "List", metadata: { resourceVersion: "" } }
  if (typeof printer === "function") {
    const list = whole["kind"] === "List" && Array.isArray(whole["items"])
    if (list && outputForm(ctx).form === "name") {
      for (const one of sorted) ctx.out(printer(one))
    } else ctx.out(printer(whole))
    return
  }
  const writer = new TabWriter(tableTabs, ctx.out)
  printer.print(whole, writer)
  writer.flush()
}

async function rawGet(ctx: CommandContext): Promise<void> {
  const { flags, args } = ctx
  if (flags.bool("watch") || flags.bool("watch-only") || flags.text("selector")) {
    throw new UsageError(
      ctx.path,
      "--raw may not be specified with other flags that filter the server request or alter the output",
    )
  }
  if (args.length > 0) throw new UsageError(ctx.path, "arguments may not be passed when --raw is specified")
  const raw = flags.text("raw")
  if (!raw.startsWith("/")) throw new Error(`parse ${goQuote(raw)}: invalid URI for request`)
  const api = await ctx.factory.api()
  const response = await api.send("GET", raw, { accept: "application/json, */*", unlimited: true })
  for await (const chunk of response.body) ctx.io.stdout.write(chunk)
}
