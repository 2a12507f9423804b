/** `kubectl top node|pod`. Mirrors: kubectl pkg/cmd/top */
import { parseQuantity, zeroQuantity, type Quantity } from "@knarr/apimachinery"
import { defineKubectlCommand, type CommandContext, type KubectlCommand } from "../command.ts"
import { flag } from "../flags.ts"
import { at, type Obj } from "../object.ts"
import { TabWriter, tableTabs } from "../printers/tab-writer.ts"
import { allNamespacesFlag, selectorFlag } from "../shared-flags.ts"

const noHeaders = flag.bool("no-headers", "If present, print output without headers")
const sortBy = flag.text(
  "sort-by",
  "If non-empty, sort list using specified field. The field can be either 'cpu' or 'memory'.",
)
const mebi = 1024n * 1024n

async function metrics(ctx: CommandContext, path: string): Promise<Obj[]> {
  const mapper = await ctx.factory.mapper()
  if (!(await mapper.find("nodes.metrics.k8s.io"))) throw new Error("Metrics API not available")
  const list = await (await ctx.factory.api()).get(path, { labelSelector: ctx.flags.text("selector") })
  return (list["items"] ?? [list]) as Obj[]
}

function millis(value: Quantity): bigint {
  return BigInt(value.scaledValue(-3))
}

function bytes(value: Quantity): bigint {
  return BigInt(value.scaledValue(0))
}

interface Row {
  readonly name: readonly string[]
  readonly cpu: Quantity
  readonly memory: Quantity
}

function sorted(ctx: CommandContext, rows: readonly Row[]): Row[] {
  const by = ctx.flags.text("sort-by")
  return rows.toSorted((a, b) =>
    by === "cpu"
      ? b.cpu.compare(a.cpu)
      : by === "memory"
        ? b.memory.compare(a.memory)
        : a.name.join("/") < b.name.join("/")
          ? -1
          : 1,
  )
}

const topNode: KubectlCommand = {
  name: "node",
  aliases: ["nodes", "no"],
  summary: "Display resource (CPU/memory) usage of nodes",
  usage: "[NAME | -l label]",
  flags: [selectorFlag, noHeaders, sortBy],
  run: async (ctx) => {
    const name = ctx.args[0]
    const items = await metrics(
      ctx,
      `/apis/metrics.k8s.io/v1beta1/nodes${name ? `/${encodeURIComponent(name)}` : ""}`,
    )
    const nodes = ((await (await ctx.factory.api()).get("/api/v1/nodes"))["items"] ?? []) as Obj[]
    const writer = new TabWriter(tableTabs, ctx.out)
    if (!ctx.flags.bool("no-headers")) writer.write("NAME\tCPU(cores)\tCPU(%)\tMEMORY(bytes)\tMEMORY(%)\n")
    const rows = items.map((one) => ({
      name: [one["metadata"].name as string],
      cpu: parseQuantity(one["usage"].cpu as string),
      memory: parseQuantity(one["usage"].memory as string),
    }))
    for (const row of sorted(ctx, rows)) {
      const node = nodes.find((one) => one["metadata"].name === row.name[0])
      const total = (field: string): Quantity =>
        parseQuantity((at(node, "status", "allocatable", field) ?? "0") as string)
      const percent = (part: bigint, whole: bigint): string =>
        whole === 0n ? "<unknown>" : `${(part * 100n) / whole}%`
      writer.write(
        `${row.name[0]}\t${millis(row.cpu)}m\t${percent(millis(row.cpu), millis(total("cpu")))}\t${bytes(row.memory) / mebi}Mi\t${percent(bytes(row.memory), bytes(total("memory")))}\n`,
      )
    }
    writer.flush()
  },
}

const topPod: KubectlCommand = {
  name: "pod",
  aliases: ["pods", "po"],
  summary: "Display resource (CPU/memory) usage of pods",
  usage: "[NAME | -l label]",
  flags: [
    selectorFlag,
    noHeaders,
    sortBy,
    allNamespacesFlag,
    flag.bool("containers", "If present, print usage of containers within a pod."),
  ],
  run: async (ctx) => {
    const { flags } = ctx
    const { namespace } = await ctx.factory.namespace()
    const all = flags.bool("all-namespaces")
    const name = ctx.args[0]
    const base = `/apis/metrics.k8s.io/v1beta1${all ? "" : `/namespaces/${encodeURIComponent(namespace)}`}/pods`
    const items = await metrics(ctx, name ? `${base}/${encodeURIComponent(name)}` : base)
    if (items.length === 0) {
      ctx.err(all ? "No resources found\n" : `No resources found in ${namespace} namespace.\n`)
      return
    }
    const perContainer = flags.bool("containers")
    const rows = items.flatMap((pod): Row[] => {
      const title = [
        ...(all ? [pod["metadata"].namespace as string] : []),
        ...(perContainer ? [] : [pod["metadata"].name as string]),
      ]
      const parts = ((pod["containers"] ?? []) as Obj[]).map((one) => ({
        name: [...title, pod["metadata"].name as string, one["name"] as string],
        cpu: parseQuantity(one["usage"].cpu as string),
        memory: parseQuantity(one["usage"].memory as string),
      }))
      if (perContainer) return parts
      const sum = (field: "cpu" | "memory"): Quantity =>
        parts.reduce((so, one) => so.add(one[field]), zeroQuantity)
      return [{ name: title, cpu: sum("cpu"), memory: sum("memory") }]
    })
    const writer = new TabWriter(tableTabs, ctx.out)
    if (!flags.bool("no-headers")) {
      writer.write(
        `${all ? "NAMESPACE\t" : ""}${perContainer ? "POD\tNAME" : "NAME"}\tCPU(cores)\tMEMORY(bytes)\n`,
      )
    }
    for (const row of sorted(ctx, rows)) {
      writer.write(`${row.name.join("\t")}\t${millis(row.cpu)}m\t${bytes(row.memory) / mebi}Mi\n`)
    }
    writer.flush()
  },
}

export const top = defineKubectlCommand({
  name: "top",
  summary: "Display resource (CPU/memory) usage",
  usage: "[flags]",
  subcommands: [topNode, topPod],
})
