/** `kubectl diff`. Mirrors: kubectl pkg/cmd/diff/diff.go */
import { spawn } from "node:child_process"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { isNotFound, stringifyYaml } from "@knarr/apimachinery"
import { defineKubectlCommand, type CommandContext } from "../command.ts"
import { ExitError } from "../errors.ts"
import { flag } from "../flags.ts"
import { infosOf, readManifests } from "../files/manifests.ts"
import { withoutLastApplied } from "../last-applied.ts"
import { withoutManagedFields, type Obj } from "../object.ts"
import { fetchObject } from "../resources.ts"
import type { Info } from "../info.ts"
import { fieldManagerFlag, fileFlags, selectorFlag } from "../shared-flags.ts"
import { createObject } from "../writes.ts"
import { applyPatch, applyServerSide } from "./apply-patch.ts"

export const diff = defineKubectlCommand({
  name: "diff",
  summary: "Diff the live version against a would-be applied version",
  usage: "-f FILENAME",
  flags: [
    ...fileFlags,
    selectorFlag,
    fieldManagerFlag("kubectl-client-side-apply"),
    flag.bool("force-conflicts", "If true, server-side apply will force the changes against conflicts."),
    flag.bool("overwrite", { default: "true" }),
    flag.bool("server-side", "If true, apply runs in the server instead of the client."),
    flag.bool("show-managed-fields", "If true, include managed fields in the diff."),
  ],
  run: async (ctx) => {
    if (ctx.flags.list("filename").length === 0)
      throw new ExitError(2, "error: must specify one of -f and -k")
    const dir = await mkdtemp(join(tmpdir(), "kubectl-diff-"))
    try {
      const live = join(dir, "LIVE")
      const merged = join(dir, "MERGED")
      await Promise.all([mkdir(live), mkdir(merged)])
      for (const info of await infosOf(ctx, await readManifests(ctx))) {
        const { before, after } = await compare(ctx, info)
        const { group, version, kind } = info.resource
        const name = `${group ? `${group}.` : ""}${version}.${kind}.${info.namespace}.${info.name}`
        await writeFile(join(live, name), before ? shown(ctx, before) : "")
        await writeFile(join(merged, name), shown(ctx, after))
      }
      return await runDiff(ctx, live, merged)
    } finally {
      await rm(dir, { recursive: true, force: true })
    }
  },
})

function shown(ctx: CommandContext, obj: Obj): string {
  return stringifyYaml(ctx.flags.bool("show-managed-fields") ? obj : withoutManagedFields(obj))
}

async function compare(ctx: CommandContext, info: Info): Promise<{ before: Obj | undefined; after: Obj }> {
  const api = await ctx.factory.api()
  const options = { dryRun: "server", fieldManager: ctx.flags.text("field-manager") } as const
  let before: Obj | undefined
  try {
    before = await fetchObject(api, info)
  } catch (thrown) {
    if (!isNotFound(thrown)) throw thrown
  }
  if (ctx.flags.bool("server-side")) {
    const force = ctx.flags.bool("force-conflicts")
    return { before, after: await applyServerSide(api, info, { ...options, force }) }
  }
  if (!before) return { before, after: await createObject(api, info, info.object, options) }
  const wanted = withoutLastApplied(info.object)
  return { before, after: (await applyPatch(ctx, api, info, wanted, before, options)).patched }
}

/** Runs `$KUBECTL_EXTERNAL_DIFF` or `diff -u -N`. Resolves with 1 when there are differences. */
function runDiff(ctx: CommandContext, live: string, merged: string): Promise<number> {
  const [command, ...args] = (ctx.io.env["KUBECTL_EXTERNAL_DIFF"] || "diff -u -N").split(" ")
  return new Promise((resolve, reject) => {
    const child = spawn(command!, [...args, live, merged], { stdio: ["ignore", "pipe", "pipe"] })
    child.stdout.on("data", (data: Buffer) => ctx.out(data.toString("utf8")))
    child.stderr.on("data", (data: Buffer) => ctx.err(data.toString("utf8")))
    child.on("error", () =>
      reject(
        new ExitError(
          127,
          `error: failed to run ${JSON.stringify(command)}: executable file not found in $PATH`,
        ),
      ),
    )
    child.on("close", (code) =>
      (code ?? 2) > 1 ? reject(new ExitError(code ?? 2, `error: exit status ${code}`)) : resolve(code ?? 0),
    )
  })
}
