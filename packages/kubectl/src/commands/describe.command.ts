/** `kubectl describe`. Mirrors: kubectl pkg/cmd/describe/describe.go */
import { goQuote, isNotFound } from "@knarr/apimachinery"
import { defineKubectlCommand, type CommandContext } from "../command.ts"
import { describerFor } from "../describe/describers.ts"
import { eventsOf, writeEvents } from "../describe/events.ts"
import { DescribeWriter } from "../describe/writer.ts"
import { throwAll } from "../errors.ts"
import { flag } from "../flags.ts"
import { infosOf, readManifests } from "../files/manifests.ts"
import type { Obj } from "../object.ts"
import { fetchObject, listPages, targetsOf, type Target } from "../resources.ts"
import type { Info } from "../info.ts"
import { allNamespacesFlag, chunkSizeFlag, fileFlags, selectorFlag } from "../shared-flags.ts"

export const describe = defineKubectlCommand({
  name: "describe",
  summary: "Show details of a specific resource or group of resources",
  usage: "(-f FILENAME | TYPE [NAME_PREFIX | -l label] | TYPE/NAME)",
  flags: [
    ...fileFlags,
    allNamespacesFlag,
    chunkSizeFlag,
    selectorFlag,
    flag.bool("show-events", {
      default: "true",
      help: "If true, display events related to the described object. Defaults to true for a single object, false for multiple objects and prefix matching.",
    }),
  ],
  run: runDescribe,
})

async function runDescribe(ctx: CommandContext): Promise<void> {
  const { flags, args } = ctx
  const fromFiles = flags.list("filename").length > 0 || flags.text("kustomize") !== ""
  if (args.length === 0 && !fromFiles) {
    throw new Error(
      'You must specify the type of resource to describe. Use "kubectl api-resources" for a complete list of supported resources.\n',
    )
  }
  const targets: Target[] = fromFiles
    ? await infosOf(ctx, await readManifests(ctx))
    : await targetsOf(ctx, { args, wholeCollections: true })
  const api = await ctx.factory.api()
  const infos: Info[] = []
  const errors: Error[] = []
  for (const target of targets) {
    try {
      if (target.name !== undefined) {
        infos.push({ ...target, name: target.name, object: await fetchObject(api, target) })
        continue
      }
      infos.push(...(await collect(ctx, target)))
    } catch (thrown) {
      const byPrefix = isNotFound(thrown) && target.name !== undefined && targets.length === 1 && !fromFiles
      if (byPrefix && (await describePrefix(ctx, target))) return
      errors.push(thrown as Error)
    }
  }
  await print(ctx, infos, errors)
  throwAll(errors)
  if (infos.length > 0) return
  const { namespace } = await ctx.factory.namespace()
  ctx.err(
    flags.bool("all-namespaces") ? "No resources found\n" : `No resources found in ${namespace} namespace.\n`,
  )
}

async function collect(ctx: CommandContext, target: Target): Promise<Info[]> {
  const api = await ctx.factory.api()
  const out: Info[] = []
  for await (const page of listPages(ctx, api, target)) {
    for (const object of (page["items"] ?? []) as Obj[]) {
      const { name, namespace = "" } = object["metadata"] as { name: string; namespace?: string }
      out.push({ resource: target.resource, namespace, name, object })
    }
  }
  return out
}

/** Describes everything whose name begins as given. Returns false when nothing does. */
async function describePrefix(ctx: CommandContext, target: Target): Promise<boolean> {
  const all = await collect(ctx, { ...target, name: undefined })
  const found = all.filter((info) => info.name.startsWith(target.name!))
  if (found.length === 0) return false
  await print(ctx, found, [])
  return true
}

async function print(ctx: CommandContext, infos: readonly Info[], errors: Error[]): Promise<void> {
  const api = await ctx.factory.api()
  const showEvents = ctx.flags.changed("show-events") ? ctx.flags.bool("show-events") : infos.length === 1
  let first = true
  for (const info of infos) {
    try {
      const w = new DescribeWriter(ctx.io.clock.now())
      const events = async (obj: Obj): Promise<void> => {
        if (showEvents) writeEvents(w, await eventsOf(api, obj))
      }
      const describer = await describerFor(info.resource.group, info.resource.kind)
      await describer({ w, api, showEvents, events }, info.object)
      w.flush()
      ctx.out(first ? w.text : `\n\n${w.text}`)
      first = false
    } catch (thrown) {
      if (!(thrown instanceof Error))
        throw new Error(`cannot describe ${goQuote(info.name)}`, { cause: thrown })
      errors.push(thrown)
    }
  }
}
