/** `kubectl taint`. Mirrors: kubectl pkg/cmd/taint/taint.go */
import { isQualifiedName, isValidLabelValue } from "@knarr/apimachinery"
import { defineKubectlCommand } from "../command.ts"
import { flag } from "../flags.ts"
import type { Obj } from "../object.ts"
import { changePrinter, dryRunOf } from "../printers/printer.ts"
import { forEachInfo, selectInfos } from "../resources.ts"
import { dryRunFlag, fieldManagerFlag, printFlags, selectorFlag, validateFlag } from "../shared-flags.ts"
import { patchObject } from "../writes.ts"

const effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"]

interface Taint {
  readonly key: string
  readonly value?: string
  readonly effect?: string
}

function parseTaint(text: string): { taint: Taint; remove: boolean } {
  const remove = text.endsWith("-")
  const spec = remove ? text.slice(0, -1) : text
  const m = /^([^=:]+)(?:=([^:]*))?(?::([^:]+))?$/.exec(spec)
  if (!m || (!remove && !m[3])) throw new Error(`unknown taint spec: ${text}`)
  const [, key, value, effect] = m
  const problems = isQualifiedName(key!)
  if (problems.length > 0) throw new Error(`invalid taint key ${spec}: ${problems.join("; ")}`)
  if (value && isValidLabelValue(value).length > 0)
    throw new Error(`invalid taint spec: ${text}, ${isValidLabelValue(value).join("; ")}`)
  if (effect && !effects.includes(effect))
    throw new Error(`invalid taint effect: ${effect}, unsupported taint effect`)
  return { taint: { key: key!, ...(value ? { value } : {}), ...(effect ? { effect } : {}) }, remove }
}

export const taint = defineKubectlCommand({
  name: "taint",
  summary: "Update the taints on one or more nodes",
  usage: "NODE NAME KEY_1=VAL_1:TAINT_EFFECT_1 ... KEY_N=VAL_N:TAINT_EFFECT_N",
  flags: [
    ...printFlags,
    selectorFlag,
    dryRunFlag,
    validateFlag,
    fieldManagerFlag("kubectl-taint"),
    flag.bool("all", "Select all nodes in the cluster"),
    flag.bool(
      "overwrite",
      "If true, allow taints to be overwritten, otherwise reject taint updates that overwrite existing taints.",
    ),
  ],
  run: async (ctx) => {
    const { args, flags } = ctx
    const first = args.findIndex((arg, i) => i > 0 && (/[:=]/.test(arg) || arg.endsWith("-")))
    const resources = first < 0 ? [...args] : args.slice(0, first)
    const specs = first < 0 ? [] : args.slice(first)
    if (resources.length < 1) throw new Error("one or more resources must be specified as <resource> <name>")
    if (!["node", "nodes", "no"].includes(resources[0]!.split("/")[0]!.toLowerCase())) {
      throw new Error(
        `invalid resource type ${resources[0]}, only node types are supported`.replace(
          /^invalid resource type (.*), only.*$/,
          "invalid resource type $1, only node types are supported",
        ),
      )
    }
    if (specs.length === 0) throw new Error("at least one taint update is required")
    const changes = specs.map(parseTaint)
    const dryRun = dryRunOf(ctx)
    const found = await selectInfos(ctx, { args: resources, latest: true, all: flags.bool("all") })
    await forEachInfo(found, async (info) => {
      const old = (info.object["spec"]?.taints ?? []) as Taint[]
      const { list, operation } = changeTaints(old, changes, flags.bool("overwrite"), info.name)
      let object: Obj = { ...info.object, spec: { ...info.object["spec"], taints: list } }
      if (dryRun !== "client") {
        const patch = {
          metadata: { resourceVersion: info.object["metadata"].resourceVersion as string },
          spec: { taints: list.length > 0 ? list : null },
        }
        object = await patchObject(await ctx.factory.api(), info, "merge", patch, {
          dryRun,
          fieldManager: flags.text("field-manager"),
        })
      }
      ctx.out((await changePrinter(ctx, operation, "none"))(object))
    })
  },
})

function changeTaints(
  old: readonly Taint[],
  changes: readonly { taint: Taint; remove: boolean }[],
  overwrite: boolean,
  node: string,
): { list: Taint[]; operation: string } {
  let list = [...old]
  let added = 0
  let removed = 0
  for (const { taint: one, remove } of changes) {
    const same = (other: Taint): boolean =>
      other.key === one.key && (one.effect === undefined || other.effect === one.effect)
    if (remove) {
      if (!list.some(same))
        throw new Error(
          `taint ${JSON.stringify(one.effect ? `${one.key}:${one.effect}` : one.key)} not found`,
        )
      list = list.filter((other) => !same(other))
      removed++
      continue
    }
    const known = list.find(same)
    if (known && known.value !== one.value && !overwrite) {
      throw new Error(
        `node ${node} already has ${one.key} taint(s) with same effect(s) and --overwrite is false`,
      )
    }
    if (known && !overwrite)
      throw new Error(
        `node ${node} already has ${one.key} taint(s) with same effect(s) and --overwrite is false`,
      )
    list = [one, ...list.filter((other) => !same(other))]
    added++
  }
  const operation =
    removed > 0 && added > 0 ? "modified" : removed > 0 ? "untainted" : overwrite ? "modified" : "tainted"
  return { list, operation }
}
