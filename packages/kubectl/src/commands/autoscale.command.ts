/** `kubectl autoscale`. Mirrors: kubectl pkg/cmd/autoscale/autoscale.go */
import { defineKubectlCommand, type CommandContext } from "../command.ts"
import { flag } from "../flags.ts"
import type { Obj } from "../object.ts"
import { changePrinter, dryRunOf } from "../printers/printer.ts"
import { forEachInfo, selectInfos } from "../resources.ts"
import type { Info } from "../info.ts"
import { dryRunFlag, fieldManagerFlag, fileFlags, printFlags } from "../shared-flags.ts"
import { createObject } from "../writes.ts"

export const autoscale = defineKubectlCommand({
  name: "autoscale",
  summary: "Auto-scale a deployment, replica set, stateful set, or replication controller",
  usage: "(-f FILENAME | TYPE NAME | TYPE/NAME) [--min=MINPODS] --max=MAXPODS [--cpu=CPU] [--memory=MEMORY]",
  flags: [
    ...fileFlags,
    ...printFlags,
    dryRunFlag,
    fieldManagerFlag("kubectl-autoscale"),
    flag.text(
      "cpu",
      'Target CPU utilization over all the pods. When specified as a percentage (e.g. "70%"), the autoscaler will target average utilization; as a quantity (e.g. "500m"), an average value.',
    ),
    flag.int("cpu-percent", {
      default: "-1",
      help: "The target average CPU utilization (represented as a percent of requested CPU) over all the pods.",
    }),
    flag.text("memory", "Target memory utilization over all the pods, as a percentage or a quantity."),
    flag.int("max", {
      default: "-1",
      help: "The upper limit for the number of pods that can be set by the autoscaler. Required.",
    }),
    flag.int("min", {
      default: "-1",
      help: "The lower limit for the number of pods that can be set by the autoscaler. If it's not specified or negative, the server will apply a default value.",
    }),
    flag.text(
      "name",
      "The name for the newly created object. If not specified, the name of the input resource will be used.",
    ),
  ],
  run: async (ctx) => {
    const { flags } = ctx
    if (!flags.changed("max")) throw new Error('required flag(s) "max" not set')
    if (flags.int("max") < 1)
      throw new Error(`--max=MAXPODS is required and must be at least 1, max: ${flags.int("max")}`)
    if (flags.int("max") < flags.int("min")) {
      throw new Error(
        `--max=MAXPODS must be larger or equal to --min=MINPODS, max: ${flags.int("max")}, min: ${flags.int("min")}`,
      )
    }
    const dryRun = dryRunOf(ctx)
    const printer = await changePrinter(ctx, "autoscaled", dryRun)
    const found = await selectInfos(ctx, { args: ctx.args, latest: true })
    const resource = await (await ctx.factory.mapper()).resource("horizontalpodautoscalers.v2.autoscaling")
    await forEachInfo(found, async (info) => {
      const made = autoscalerFor(ctx, info)
      const options = { dryRun, fieldManager: flags.text("field-manager") }
      const object =
        dryRun === "client"
          ? made
          : await createObject(
              await ctx.factory.api(),
              { resource, namespace: info.namespace },
              made,
              options,
            )
      ctx.out(printer(object))
    })
  },
})

function metric(name: string, text: string): Obj {
  const target = text.endsWith("%")
    ? { type: "Utilization", averageUtilization: Number(text.slice(0, -1)) }
    : { type: "AverageValue", averageValue: text }
  return { type: "Resource", resource: { name, target } }
}

function autoscalerFor(ctx: CommandContext, info: Info): Obj {
  const { flags } = ctx
  const percent = flags.int("cpu-percent")
  const cpu = flags.text("cpu") || (percent >= 0 ? `${percent}%` : "")
  const metrics = [
    ...(cpu ? [metric("cpu", cpu)] : []),
    ...(flags.text("memory") ? [metric("memory", flags.text("memory"))] : []),
  ]
  const { group, version, kind } = info.resource
  return {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: { name: flags.text("name") || info.name },
    spec: {
      scaleTargetRef: { kind, name: info.name, apiVersion: group ? `${group}/${version}` : version },
      ...(flags.int("min") > 0 ? { minReplicas: flags.int("min") } : {}),
      maxReplicas: flags.int("max"),
      ...(metrics.length > 0 ? { metrics } : {}),
    },
    status: { desiredReplicas: 0, currentMetrics: null },
  }
}
