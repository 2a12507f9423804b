/** `get --watch`. Mirrors: kubectl pkg/cmd/get/get.go (watch) */
import { parseJson } from "@knarr/base"
import { StatusError, type Status } from "@knarr/apimachinery"
import { lines } from "@knarr/client"
import { resourcePath } from "../api-client.ts"
import type { CommandContext } from "../command.ts"
import { at, isList, type Obj } from "../object.ts"
import type { GetPrinter } from "../printers/custom-columns.ts"
import { outputForm } from "../printers/printer.ts"
import { TabWriter, tableTabs } from "../printers/tab-writer.ts"
import { isTable, TablePrinter, type Table } from "../printers/table.ts"
import { fetchObject, targetsOf } from "../resources.ts"

/** Prints what is there (unless `--watch-only`) and then every change until interrupted. */
export async function watchTargets(
  ctx: CommandContext,
  printer: GetPrinter | undefined,
  tableAccept: string,
): Promise<void> {
  const { flags } = ctx
  const targets = await targetsOf(ctx, { args: ctx.args, wholeCollections: true })
  if (targets.length > 1) {
    throw new Error(
      "watch is only supported on individual resources and resource collections - more than 1 resource was found",
    )
  }
  const target = targets[0]!
  const api = await ctx.factory.api()
  const accept = printer ? undefined : tableAccept
  const events = flags.bool("output-watch-events")
  const writer = new TabWriter(tableTabs, ctx.out)
  const tables = new TablePrinter({
    noHeaders: flags.bool("no-headers"),
    wide: outputForm(ctx).form === "wide",
    withNamespace: flags.bool("all-namespaces") && target.resource.namespaced,
    kind: flags.bool("show-kind") ? target.resource : undefined,
    columnLabels: flags.list("label-columns"),
    showLabels: flags.bool("show-labels"),
  })
  const print = (obj: Obj, type: string): void => {
    if (!printer) {
      tables.print(events ? withEvent(obj as Table, type) : (obj as Table), writer)
    } else {
      const shown = events ? { type, object: obj } : obj
      if (typeof printer === "function") writer.write(printer(shown))
      else printer.print(obj, writer)
    }
    writer.flush()
  }
  const query = {
    labelSelector: flags.text("selector"),
    fieldSelector: target.name === undefined ? flags.text("field-selector") : `metadata.name=${target.name}`,
  }
  const collection = resourcePath(target.resource, target.namespace)
  let version = "0"
  const first =
    target.name === undefined
      ? await api.json("GET", collection, { query, accept })
      : await fetchObject(api, target, accept ? { accept } : {})
  version = (at(first, "metadata", "resourceVersion") as string | undefined) ?? "0"
  if (!flags.bool("watch-only")) {
    if (printer && isList(first)) for (const item of typed(first)) print(item, "ADDED")
    else print(first, "ADDED")
  }
  // The limit of a request ends a watch, which is no failure.
  const limitMs = ctx.factory.requestTimeoutMs
  const timeoutSeconds = limitMs > 0 ? Math.ceil(limitMs / 1000) : undefined
  const response = await api.send("GET", collection, {
    query: { ...query, watch: true, resourceVersion: version, timeoutSeconds },
    accept,
    unlimited: true,
  })
  for await (const line of lines(response.body)) {
    const event = parseJson(line) as { type: string; object: Obj }
    if (event.type === "BOOKMARK") continue
    if (event.type === "ERROR") throw new StatusError(event.object as unknown as Status)
    print(event.object, event.type)
  }
}

function typed(list: Obj): Obj[] {
  const kind = String(list["kind"]).replace(/List$/, "")
  return (list["items"] as Obj[]).map((item) => ({ apiVersion: list["apiVersion"], kind, ...item }))
}

function withEvent(table: Table, type: string): Table {
  if (!isTable(table)) return table
  return {
    ...table,
    ...(table.columnDefinitions?.length
      ? { columnDefinitions: [{ name: "Event", type: "string" }, ...table.columnDefinitions] }
      : {}),
    rows: (table.rows ?? []).map((row) => ({ ...row, cells: [type, ...row.cells] })),
  }
}
