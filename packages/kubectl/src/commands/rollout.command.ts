/** `kubectl rollout status|history|undo|restart|pause|resume`. Mirrors: kubectl pkg/cmd/rollout */
import { TimeoutError } from "@knarr/base"
import { formatTime, goQuote, groupResourceText } from "@knarr/apimachinery"
import { defineKubectlCommand, type CommandContext, type KubectlCommand } from "../command.ts"
import { watchObject, weekMs } from "../deletion.ts"
import { UsageError } from "../errors.ts"
import { flag } from "../flags.ts"
import { at, objectName, type Obj } from "../object.ts"
import { changePrinter, dryRunOf, outputForm } from "../printers/printer.ts"
import { forEachInfo, selectInfos, type Selected } from "../resources.ts"
import type { Info } from "../info.ts"
import { revisionsOf, rollback } from "../rollout-history.ts"
import { rolloutState } from "../rollout-status.ts"
import { dryRunFlag, fieldManagerFlag, fileFlags, printFlags, selectorFlag } from "../shared-flags.ts"
import { patchObject } from "../writes.ts"

async function select(ctx: CommandContext): Promise<Selected> {
  const { args, flags } = ctx
  if (args.length === 0 && flags.list("filename").length === 0 && !flags.text("kustomize")) {
    throw new UsageError(ctx.path, "required resource not specified")
  }
  const found = await selectInfos(ctx, { args, latest: true, wholeCollections: true })
  return found
}

const status: KubectlCommand = {
  name: "status",
  summary: "Show the status of the rollout",
  usage: "(TYPE NAME | TYPE/NAME) [flags]",
  flags: [
    ...fileFlags,
    selectorFlag,
    flag.int("revision", "Pin to a specific revision for showing its status. Defaults to 0 (last revision)."),
    flag.duration(
      "timeout",
      "The length of time to wait before ending watch, zero means never. Any other values should contain a corresponding time unit (e.g. 1s, 2m, 3h).",
    ),
    flag.bool("watch", {
      short: "w",
      default: "true",
      help: "Watch the status of the rollout until it's done.",
    }),
  ],
  run: async (ctx) => {
    const revision = ctx.flags.int("revision")
    if (revision < 0) throw new Error(`revision must be a positive integer: ${revision}`)
    await forEachInfo(await select(ctx), (info) => showStatus(ctx, info, revision))
  },
}

async function showStatus(ctx: CommandContext, info: Info, revision: number): Promise<void> {
  let state = rolloutState(info.object, revision)
  if (state.done || !ctx.flags.bool("watch")) {
    ctx.out(state.message)
    return
  }
  const timeoutMs = ctx.flags.duration("timeout") || weekMs * 52
  const api = await ctx.factory.api()
  try {
    await watchObject(api, info, { clock: ctx.io.clock, signal: ctx.signal, timeoutMs }, (obj) => {
      if (!obj) throw new Error("object has been deleted")
      state = rolloutState(obj, revision)
      ctx.out(state.message)
      return state.done
    })
  } catch (thrown) {
    if (thrown instanceof TimeoutError)
      throw new Error("timed out waiting for the condition", { cause: thrown })
    throw thrown
  }
}

const history: KubectlCommand = {
  name: "history",
  summary: "View rollout history",
  usage: "(TYPE NAME | TYPE/NAME) [flags]",
  flags: [
    ...fileFlags,
    ...printFlags,
    selectorFlag,
    flag.int("revision", "See the details, including podTemplate of the revision specified"),
  ],
  run: async (ctx) => {
    const wanted = ctx.flags.int("revision")
    if (wanted < 0) throw new Error(`revision must be a positive integer: ${wanted}`)
    await forEachInfo(await select(ctx), (info) => showHistory(ctx, info, wanted))
  },
}

async function showHistory(ctx: CommandContext, info: Info, wanted: number): Promise<void> {
  const revisions = await revisionsOf(await ctx.factory.api(), info)
  const { form } = outputForm(ctx)
  const found = revisions.find((one) => one.number === wanted)
  if (wanted > 0 && !found) throw new Error(`unable to find the specified revision`)
  if (form !== "") {
    const printer = await changePrinter(ctx, "", "none")
    for (const one of wanted > 0 ? [found!] : revisions) ctx.out(printer(historyObject(one.object)))
    return
  }
  if (wanted > 0) {
    const { describeTemplateText } = await import("../describe/pod-template.ts")
    ctx.out(`${objectName(info.object)} with revision #${wanted}\n${describeTemplateText(found!.template)}\n`)
    return
  }
  if (revisions.length === 0) {
    ctx.out(`${objectName(info.object)} \nNo rollout history found.\n`)
    return
  }
  const { TabWriter, describeTabs } = await import("../printers/tab-writer.ts")
  let text = ""
  const writer = new TabWriter(describeTabs, (part) => (text += part))
  writer.write("REVISION\tCHANGE-CAUSE\n")
  for (const one of revisions) writer.write(`${one.number}\t${one.cause || "<none>"}\n`)
  writer.flush()
  ctx.out(`${objectName(info.object)} \n${text}\n`)
}

function historyObject(object: Obj): Obj {
  const kind = object["data"] === undefined ? "ReplicaSet" : "ControllerRevision"
  return { ...object, apiVersion: object["apiVersion"] ?? "apps/v1", kind: object["kind"] ?? kind }
}

const undo: KubectlCommand = {
  name: "undo",
  summary: "Undo a previous rollout",
  usage: "(TYPE NAME | TYPE/NAME) [flags]",
  flags: [
    ...fileFlags,
    ...printFlags,
    selectorFlag,
    dryRunFlag,
    flag.int("to-revision", "The revision to rollback to. Default to 0 (last revision)."),
  ],
  run: async (ctx) => {
    const dryRun = dryRunOf(ctx)
    const api = await ctx.factory.api()
    const toRevision = ctx.flags.int("to-revision")
    await forEachInfo(await select(ctx), async (info) => {
      if (dryRun === "client") {
        const { describeTemplateText } = await import("../describe/pod-template.ts")
        const revisions = await revisionsOf(api, info)
        const target =
          toRevision === 0 ? revisions.at(-2) : revisions.find((one) => one.number === toRevision)
        if (!target) throw new Error(`unable to find specified revision ${toRevision} in history`)
        ctx.out(`${objectName(info.object)} ${describeTemplateText(target.template)} (dry run)\n`)
        return
      }
      const done = await rollback(api, info, toRevision, { dryRun })
      ctx.out((await changePrinter(ctx, done, dryRun))(info.object))
    })
  },
}

/** A subcommand that patches each workload. `patchOf` returns undefined for an object that needs none. */
function patching(spec: {
  name: string
  summary: string
  done: string
  patchOf: (ctx: CommandContext, info: Info) => Obj
}): KubectlCommand {
  return {
    name: spec.name,
    summary: spec.summary,
    usage: "RESOURCE",
    flags: [...fileFlags, ...printFlags, selectorFlag, dryRunFlag, fieldManagerFlag("kubectl-rollout")],
    run: async (ctx) => {
      const dryRun = dryRunOf(ctx)
      const api = await ctx.factory.api()
      const printer = await changePrinter(ctx, spec.done, dryRun)
      await forEachInfo(await select(ctx), async (info) => {
        const patch = spec.patchOf(ctx, info)
        const fieldManager = ctx.flags.text("field-manager")
        const object =
          dryRun === "client"
            ? info.object
            : await patchObject(api, info, "strategic", patch, { dryRun, fieldManager })
        ctx.out(printer(object))
      })
    },
  }
}

const restartable = new Set(["Deployment", "DaemonSet", "StatefulSet"])

function resourceName(info: Info): string {
  return `${groupResourceText({ group: info.resource.group, resource: info.resource.plural })} ${goQuote(info.name)}`
}

const restart = patching({
  name: "restart",
  summary: "Restart a resource",
  done: "restarted",
  patchOf: (ctx, info) => {
    if (!restartable.has(info.resource.kind)) {
      throw new Error(
        `${resourceName(info)}: restarting is not supported`.replace(/: restarting/, " restarting"),
      )
    }
    if (info.resource.kind === "Deployment" && info.object["spec"].paused) {
      throw new Error(`${resourceName(info)} can't restart paused deployment (run rollout resume first)`)
    }
    const restartedAt = formatTime(ctx.io.clock.now())
    const annotations = { "kubectl.kubernetes.io/restartedAt": restartedAt }
    return { spec: { template: { metadata: { annotations } } } }
  },
})

const pause = patching({
  name: "pause",
  summary: "Mark the provided resource as paused",
  done: "paused",
  patchOf: (_, info) => {
    if (info.resource.kind !== "Deployment") throw new Error(`${resourceName(info)} pausing is not supported`)
    if (info.object["spec"].paused) throw new Error(`${resourceName(info)} is already paused`)
    return { spec: { paused: true } }
  },
})

const resume = patching({
  name: "resume",
  summary: "Resume a paused resource",
  done: "resumed",
  patchOf: (_, info) => {
    if (info.resource.kind !== "Deployment")
      throw new Error(`${resourceName(info)} resuming is not supported`)
    if (!at(info.object, "spec", "paused")) throw new Error(`${resourceName(info)} is not paused`)
    return { spec: { paused: null } }
  },
})

export const rollout = defineKubectlCommand({
  name: "rollout",
  summary: "Manage the rollout of a resource",
  long: "Manage the rollout of one or many resources.\n        \n Valid resource types include:\n\n  *  deployments\n  *  daemonsets\n  *  statefulsets",
  usage: "SUBCOMMAND",
  subcommands: [history, pause, restart, resume, status, undo],
})
