/** `kubectl drain`. Mirrors: kubectl pkg/drain */
import { controllerOf, isNotFound, isTooManyRequests } from "@knarr/apimachinery"
import { resourcePath } from "../api-client.ts"
import { defineKubectlCommand, type CommandContext } from "../command.ts"
import { deleteObject, waitGone, weekMs } from "../deletion.ts"
import { ExitError } from "../errors.ts"
import { flag } from "../flags.ts"
import { at, type Obj } from "../object.ts"
import { podsBySelector } from "../pods.ts"
import { dryRunOf, dryRunSuffix } from "../printers/printer.ts"
import type { Info } from "../info.ts"
import { chunkSizeFlag, dryRunFlag, selectorFlag } from "../shared-flags.ts"
import { markNode, selectNodes } from "./cordon.command.ts"

const mirrorAnnotation = "kubernetes.io/config.mirror"
const retryMs = 5000

export const drain = defineKubectlCommand({
  name: "drain",
  summary: "Drain node in preparation for maintenance",
  usage: "NODE",
  flags: [
    selectorFlag,
    dryRunFlag,
    chunkSizeFlag,
    flag.bool(
      "delete-emptydir-data",
      "Continue even if there are pods using emptyDir (local data that will be deleted when the node is drained).",
    ),
    flag.bool(
      "disable-eviction",
      "Force drain to use delete, even if eviction is supported. This will bypass checking PodDisruptionBudgets, use with caution.",
    ),
    flag.bool("force", "Continue even if there are pods that do not declare a controller."),
    flag.int("grace-period", {
      default: "-1",
      help: "Period of time in seconds given to each pod to terminate gracefully. If negative, the default value specified in the pod will be used.",
    }),
    flag.bool("ignore-daemonsets", "Ignore DaemonSet-managed pods."),
    flag.text("pod-selector", "Label selector to filter pods on the node"),
    flag.int(
      "skip-wait-for-delete-timeout",
      "If pod DeletionTimestamp older than N seconds, skip waiting for the pod.  Seconds must be greater than 0 to skip.",
    ),
    flag.duration("timeout", "The length of time to wait before giving up, zero means infinite"),
  ],
  run: async (ctx) => {
    const dryRun = dryRunOf(ctx)
    const nodes = await selectNodes(ctx)
    if (nodes.errors.length > 0) throw nodes.errors[0]!
    for (const node of nodes.infos) await markNode(ctx, node, true, dryRun)
    const failed: string[] = []
    const errors: Error[] = []
    for (const node of nodes.infos) {
      try {
        await drainNode(ctx, node)
        ctx.out(`node/${node.name} drained${dryRunSuffix(dryRun)}\n`)
      } catch (thrown) {
        const text = (thrown as Error).message
        ctx.err(
          `error: unable to drain node ${JSON.stringify(node.name)} due to error: ${text}, continuing command...\n`,
        )
        failed.push(`${node.name}`)
        errors.push(thrown as Error)
      }
    }
    if (failed.length > 0) {
      ctx.err("There are pending nodes to be drained:\n")
      for (const name of failed) ctx.err(` ${name}\n`)
      for (const { message } of errors) ctx.err(`${message}\n`)
      throw new ExitError(1)
    }
  },
})

type Verdict =
  | "delete"
  | "skip"
  | { readonly error: string }
  | { readonly warning: string; readonly skip?: boolean }

async function drainNode(ctx: CommandContext, node: Info): Promise<void> {
  const { flags } = ctx
  const dryRun = dryRunOf(ctx)
  const api = await ctx.factory.api()
  const pods = await podsBySelector(api, "", flags.text("pod-selector"), `spec.nodeName=${node.name}`)
  const errors = new Map<string, string[]>()
  const warnings = new Map<string, string[]>()
  const doomed: Obj[] = []
  for (const pod of pods) {
    const name = `${pod["metadata"].namespace}/${pod["metadata"].name}`
    let keep = false
    for (const verdict of await verdicts(ctx, pod)) {
      if (verdict === "skip") keep = true
      else if (typeof verdict === "object" && "error" in verdict) {
        errors.set(verdict.error, [...(errors.get(verdict.error) ?? []), name])
      } else if (typeof verdict === "object") {
        warnings.set(verdict.warning, [...(warnings.get(verdict.warning) ?? []), name])
        if (verdict.skip) keep = true
      }
      if (keep) break
    }
    if (!keep) doomed.push(pod)
  }
  const texts = (map: Map<string, string[]>): string =>
    [...map].map(([why, names]) => `${why}: ${names.join(", ")}`).join("; ")
  if (errors.size > 0) {
    const list = [...errors].map(([why, names]) => `cannot delete ${why}: ${names.join(", ")}`)
    throw new Error(list.length === 1 ? list[0] : `[${list.join(", ")}]`)
  }
  if (warnings.size > 0) ctx.err(`Warning: ${texts(warnings)}\n`)
  await Promise.all(
    doomed.map(async (pod) => {
      const name = `${pod["metadata"].namespace}/${pod["metadata"].name}`
      const evicting = !flags.bool("disable-eviction")
      if (dryRun !== "none") {
        ctx.out(`${evicting ? "evicting" : "deleting"} pod ${name}${dryRunSuffix(dryRun)}\n`)
        return
      }
      await removePod(ctx, pod, evicting)
      ctx.out(`pod/${pod["metadata"].name} ${evicting ? "evicted" : "deleted"}\n`)
    }),
  )
}

async function verdicts(ctx: CommandContext, pod: Obj): Promise<Verdict[]> {
  const { flags } = ctx
  const out: Verdict[] = []
  const phase = at(pod, "status", "phase")
  const finished = phase === "Succeeded" || phase === "Failed"
  const owner = controllerOf(pod as { metadata: object })
  if (owner?.kind === "DaemonSet" && !finished) {
    if (flags.bool("ignore-daemonsets")) return [{ warning: "ignoring DaemonSet-managed Pods", skip: true }]
    return [{ error: "DaemonSet-managed Pods (use --ignore-daemonsets to ignore)" }]
  }
  if (at(pod, "metadata", "annotations", mirrorAnnotation) !== undefined) return ["skip"]
  const hasLocal = ((at(pod, "spec", "volumes") ?? []) as Obj[]).some((volume) => volume["emptyDir"])
  if (hasLocal && !finished && !flags.bool("delete-emptydir-data")) {
    return [{ error: "Pods with local storage (use --delete-emptydir-data to override)" }]
  }
  if (!owner && !finished) {
    if (!flags.bool("force")) return [{ error: "Pods that declare no controller (use --force to override)" }]
    out.push({ warning: "deleting Pods that declare no controller" })
  }
  return out
}

async function removePod(ctx: CommandContext, pod: Obj, evicting: boolean): Promise<void> {
  const { flags } = ctx
  const api = await ctx.factory.api()
  const resource = await (await ctx.factory.mapper()).resource("pods")
  const { name, namespace, uid } = pod["metadata"] as { name: string; namespace: string; uid: string }
  const place = { resource, namespace, name }
  const gracePeriod = flags.int("grace-period")
  const { clock } = ctx.io
  const timeoutMs = flags.duration("timeout") || weekMs
  const end = clock.monotonic() + timeoutMs
  try {
    if (!evicting) await deleteObject(api, place, { gracePeriod, cascade: "Background", dryRun: "none" })
    for (let done = !evicting; !done;) {
      ctx.out(`evicting pod ${namespace}/${name}\n`)
      try {
        await api.json("POST", resourcePath(resource, namespace, name, "eviction"), {
          body: {
            apiVersion: "policy/v1",
            kind: "Eviction",
            metadata: { name, namespace },
            ...(gracePeriod >= 0 ? { deleteOptions: { gracePeriodSeconds: gracePeriod } } : {}),
          },
        })
        done = true
      } catch (thrown) {
        if (!isTooManyRequests(thrown)) throw thrown
        ctx.err(
          `error when evicting pods/${JSON.stringify(name)} -n ${JSON.stringify(namespace)} (will retry after 5s): ${(thrown as Error).message}\n`,
        )
        if (clock.monotonic() + retryMs > end)
          throw new Error(
            `error when evicting pods/${JSON.stringify(name)} -n ${JSON.stringify(namespace)}: global timeout reached: ${flags.text("timeout")}`,
            { cause: thrown },
          )
        await clock.sleep(retryMs, ctx.signal)
      }
    }
    const left = end - clock.monotonic()
    await waitGone(api, place, uid, { clock, signal: ctx.signal, timeoutMs: left })
  } catch (thrown) {
    if (!isNotFound(thrown)) throw thrown
  }
}
