/** `kubectl patch`. Mirrors: kubectl pkg/cmd/patch/patch.go */
import { readFile } from "node:fs/promises"
import {
  applyJSONPatch,
  applyMergePatch,
  applyStrategicMergePatch,
  goQuote,
  jsonClone,
  jsonEqual,
  loadYaml,
  type JsonObject,
} from "@knarr/apimachinery"
import { defineKubectlCommand } from "../command.ts"
import { userPath } from "../files/sources.ts"
import { flag } from "../flags.ts"
import type { Obj } from "../object.ts"
import { changePrinter, dryRunOf } from "../printers/printer.ts"
import { forEachInfo, selectInfos } from "../resources.ts"
import { dryRunFlag, fieldManagerFlag, fileFlags, localFlag, printFlags } from "../shared-flags.ts"
import { patchObject, type PatchForm } from "../writes.ts"

export const patch = defineKubectlCommand({
  name: "patch",
  summary: "Update fields of a resource",
  usage: "(-f FILENAME | TYPE NAME) [-p PATCH|--patch-file FILE]",
  flags: [
    ...fileFlags,
    ...printFlags,
    dryRunFlag,
    localFlag,
    fieldManagerFlag("kubectl-patch"),
    flag.text("patch", { short: "p", help: "The patch to be applied to the resource JSON file." }),
    flag.text("patch-file", "A file containing a patch to be applied to the resource."),
    flag.text("subresource", "If specified, patch will operate on the subresource of the requested object."),
    flag.text("type", {
      default: "strategic",
      help: "The type of patch being provided; one of [json merge strategic]",
    }),
  ],
  run: async (ctx) => {
    const { flags } = ctx
    const type = flags.text("type").toLowerCase()
    if ((flags.text("patch") === "") === (flags.text("patch-file") === "")) {
      throw new Error(
        flags.text("patch") === ""
          ? "must specify --patch or --patch-file containing the contents of the patch"
          : "cannot specify --patch and --patch-file together",
      )
    }
    if (!["json", "merge", "strategic"].includes(type)) {
      throw new Error(`--type must be one of [json merge strategic], not ${goQuote(flags.text("type"))}`)
    }
    const text = flags.text("patch") || (await readFile(userPath(ctx, flags.text("patch-file")), "utf8"))
    const dryRun = dryRunOf(ctx)
    const local = flags.bool("local")
    let body: unknown
    try {
      body = (await loadYaml()).parse(text)
    } catch (cause) {
      // What looks like JSON is the server's to judge.
      if (/^\s*\{/.test(text) && !local && dryRun !== "client") body = text
      else throw new Error(`unable to parse ${goQuote(text)}: ${(cause as Error).message}`, { cause })
    }
    const found = await selectInfos(ctx, { args: ctx.args, latest: true, local })
    await forEachInfo(found, async (info) => {
      const before = info.object
      const after =
        local || dryRun === "client"
          ? await patchLocally(before, body, type as PatchForm)
          : await patchObject(await ctx.factory.api(), info, type as PatchForm, body, {
              dryRun,
              fieldManager: flags.text("field-manager"),
              ...(flags.text("subresource") ? { subresource: flags.text("subresource") } : {}),
            })
      const done = jsonEqual(before, after) ? "patched (no change)" : "patched"
      ctx.out((await changePrinter(ctx, done, "none"))(after))
    })
    if (found.infos.length === 0) throw new Error("no objects passed to patch")
  },
})

async function patchLocally(object: Obj, body: unknown, type: PatchForm): Promise<Obj> {
  const base = jsonClone(object) as JsonObject
  if (type === "json") return applyJSONPatch(base, body) as Obj
  if (type === "merge") return applyMergePatch(base, body)
  const { builtinKind } = await import("../builtin-kinds.ts")
  const kind = builtinKind(object)
  if (!kind) throw new Error(`strategic merge patch is not supported for ${object["kind"]}`)
  return applyStrategicMergePatch(kind.schema, base, body as JsonObject)
}
