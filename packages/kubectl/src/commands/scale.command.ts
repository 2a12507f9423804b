/** `kubectl scale`. Mirrors: kubectl pkg/cmd/scale/scale.go */
import { isNotFound } from "@knarr/apimachinery"
import { resourcePath } from "../api-client.ts"
import { defineKubectlCommand, type CommandContext } from "../command.ts"
import { watchObject } from "../deletion.ts"
import { UsageError, throwAll } from "../errors.ts"
import { flag } from "../flags.ts"
import { at } from "../object.ts"
import { changePrinter, dryRunOf } from "../printers/printer.ts"
import { selectInfos } from "../resources.ts"
import type { Info } from "../info.ts"
import { allFlag, dryRunFlag, fileFlags, printFlags, selectorFlag } from "../shared-flags.ts"
import { patchObject, replaceObject } from "../writes.ts"

export const scale = defineKubectlCommand({
  name: "scale",
  summary: "Set a new size for a deployment, replica set, or replication controller",
  usage: "[--resource-version=version] [--current-replicas=count] --replicas=COUNT (-f FILENAME | TYPE NAME)",
  flags: [
    ...fileFlags,
    ...printFlags,
    selectorFlag,
    allFlag,
    dryRunFlag,
    flag.int("current-replicas", {
      default: "-1",
      help: "Precondition for current size. Requires that the current size of the resource match this value in order to scale. -1 (default) for no condition.",
    }),
    flag.int("replicas", "The new desired number of replicas. Required."),
    flag.text(
      "resource-version",
      "Precondition for resource version. Requires that the current resource version match this value in order to scale.",
    ),
    flag.duration(
      "timeout",
      "The length of time to wait before giving up on a scale operation, zero means don't wait. Any other values should contain a corresponding time unit (e.g. 1s, 2m, 3h).",
    ),
  ],
  run: runScale,
})

async function runScale(ctx: CommandContext): Promise<void> {
  const { flags } = ctx
  if (!flags.changed("replicas")) throw new Error('required flag(s) "replicas" not set')
  if (flags.int("replicas") < 0) {
    throw new Error("The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0")
  }
  if (flags.changed("current-replicas") && flags.int("current-replicas") < -1) {
    throw new Error("The --current-replicas must specify an integer of -1 or greater")
  }
  const dryRun = dryRunOf(ctx)
  const printer = await changePrinter(ctx, "scaled", dryRun)
  const found = await selectInfos(ctx, { args: ctx.args, latest: true, all: flags.bool("all") })
  if (flags.text("resource-version") && found.infos.length > 1) {
    throw new UsageError(ctx.path, "cannot use --resource-version with multiple resources")
  }
  const errors = [...found.errors]
  for (const info of found.infos) {
    try {
      if (dryRun !== "client") await scaleOne(ctx, info, dryRun)
      ctx.out(printer(info.object))
    } catch (thrown) {
      errors.push(thrown as Error)
    }
  }
  throwAll(errors)
  if (found.infos.length === 0) throw new Error("no objects passed to scale")
}

async function scaleOne(ctx: CommandContext, info: Info, dryRun: ReturnType<typeof dryRunOf>): Promise<void> {
  const { flags } = ctx
  const api = await ctx.factory.api()
  const replicas = flags.int("replicas")
  const expected = flags.int("current-replicas")
  const version = flags.text("resource-version")
  const options = { dryRun, subresource: "scale" }
  if (expected < 0 && version === "") {
    await patchObject(api, info, "merge", { spec: { replicas } }, options)
  } else {
    const now = await api.get(resourcePath(info.resource, info.namespace, info.name, "scale"))
    const count = (at(now, "spec", "replicas") ?? 0) as number
    if (expected >= 0 && count !== expected) {
      throw new Error(`Expected replicas to be ${expected}, was ${count}`)
    }
    if (version && at(now, "metadata", "resourceVersion") !== version) {
      throw new Error(
        `Expected resource version to be ${version}, was ${at(now, "metadata", "resourceVersion")}`,
      )
    }
    await replaceObject(api, info, { ...now, spec: { ...now["spec"], replicas } }, options)
  }
  const timeoutMs = flags.duration("timeout")
  if (timeoutMs === 0 || dryRun !== "none") return
  try {
    await watchObject(api, info, { clock: ctx.io.clock, signal: ctx.signal, timeoutMs }, (obj) => {
      const observed = (at(obj, "status", "observedGeneration") ?? 0) as number
      const wanted = (at(obj, "metadata", "generation") ?? 0) as number
      return observed >= wanted && ((at(obj, "status", "replicas") ?? 0) as number) === replicas
    })
  } catch (thrown) {
    if (isNotFound(thrown)) throw thrown
    throw new Error("timed out waiting for the condition", { cause: thrown })
  }
}
