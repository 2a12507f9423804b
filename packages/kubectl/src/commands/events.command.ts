/** `kubectl events`. Mirrors: kubectl pkg/cmd/events/events.go */
import { parseJson } from "@knarr/base"
import { goQuote, parseTime } from "@knarr/apimachinery"
import { lines } from "@knarr/client"
import { defineKubectlCommand } from "../command.ts"
import { DescribeWriter } from "../describe/writer.ts"
import { interval } from "../describe/events.ts"
import { flag } from "../flags.ts"
import { at, type Obj } from "../object.ts"
import { objectPrinter, outputForm } from "../printers/printer.ts"
import { TabWriter, tableTabs } from "../printers/tab-writer.ts"
import { allNamespacesFlag, chunkSizeFlag, printFlags } from "../shared-flags.ts"

export const events = defineKubectlCommand({
  name: "events",
  summary: "List events",
  usage:
    "[(-o|--output=)json|yaml|kyaml|name|go-template|go-template-file|template|templatefile|jsonpath|jsonpath-as-json|jsonpath-file] [--for TYPE/NAME] [--watch] [--types=Normal,Warning]",
  flags: [
    ...printFlags,
    allNamespacesFlag,
    chunkSizeFlag,
    flag.text("for", "Filter events to only those pertaining to the specified resource."),
    flag.bool("no-headers", "When using the default output format, don't print headers."),
    flag.csv("types", "Output only events of given types."),
    flag.bool("watch", { short: "w", help: "After listing the requested events, watch for more events." }),
  ],
  run: async (ctx) => {
    const { flags } = ctx
    const types = flags.list("types")
    for (const type of types) {
      if (!["normal", "warning"].includes(type.toLowerCase()))
        throw new Error("valid --types are Normal or Warning")
    }
    const { namespace } = await ctx.factory.namespace()
    const allNamespaces = flags.bool("all-namespaces")
    let fieldSelector = ""
    if (flags.text("for")) {
      const [type, name] = flags.text("for").split("/")
      if (!type || !name) throw new Error("--for must be in resource/name form")
      const resource = await (await ctx.factory.mapper()).resource(type)
      const apiVersion = resource.group ? `${resource.group}/${resource.version}` : resource.version
      fieldSelector = `involvedObject.kind=${resource.kind},involvedObject.apiVersion=${apiVersion},involvedObject.name=${name}`
    }
    const path = `/api/v1${allNamespaces ? "" : `/namespaces/${encodeURIComponent(namespace)}`}/events`
    const api = await ctx.factory.api()
    const list = await api.get(path, { fieldSelector, limit: flags.int("chunk-size") || undefined })
    const wanted = (event: Obj): boolean =>
      types.length === 0 || types.some((type) => type.toLowerCase() === String(event["type"]).toLowerCase())
    const found = ((list["items"] ?? []) as Obj[])
      .filter(wanted)
      .map((item) => ({ apiVersion: "v1", kind: "Event", ...item }))
      .toSorted((a, b) => lastTime(a) - lastTime(b))
    const { form, template } = outputForm(ctx)
    const watching = flags.bool("watch")
    if (found.length === 0 && !watching) {
      ctx.err(allNamespaces ? "No events found.\n" : `No events found in ${namespace} namespace.\n`)
      return
    }
    if (form !== "") {
      const printer = await objectPrinter(ctx, form, template)
      ctx.out(
        printer({
          apiVersion: "v1",
          items: found,
          kind: "List",
          metadata: { resourceVersion: at(list, "metadata", "resourceVersion") },
        }),
      )
      return
    }
    const writer = new TabWriter(tableTabs, ctx.out)
    let first = true
    const print = (event: Obj): void => {
      if (first && !flags.bool("no-headers")) {
        writer.write(`${allNamespaces ? "NAMESPACE\t" : ""}LAST SEEN\tTYPE\tREASON\tOBJECT\tMESSAGE\n`)
      }
      first = false
      const about = event["involvedObject"] as Obj
      const since = interval(new DescribeWriter(ctx.io.clock.now()), event)
      writer.write(
        `${allNamespaces ? `${event["metadata"].namespace}\t` : ""}${since}\t${event["type"]}\t${event["reason"]}\t${about["kind"]}/${about["name"]}\t${String(event["message"] ?? "").trim()}\n`,
      )
    }
    for (const event of found) print(event)
    writer.flush()
    if (!watching) return
    const response = await api.send("GET", path, {
      query: {
        fieldSelector,
        watch: true,
        resourceVersion: at(list, "metadata", "resourceVersion") as string,
      },
      unlimited: true,
    })
    for await (const line of lines(response.body)) {
      const { type, object } = parseJson(line) as { type: string; object: Obj }
      if (type === "ERROR") throw new Error(`watch ended: ${goQuote(String(object["message"]))}`)
      if (type !== "ADDED" || !wanted(object)) continue
      print(object)
      writer.flush()
    }
  },
})

function lastTime(event: Obj): number {
  const text = (at(event, "series", "lastObservedTime") || event["lastTimestamp"] || event["eventTime"]) as
    | string
    | null
  return text ? parseTime(text) : 0
}
