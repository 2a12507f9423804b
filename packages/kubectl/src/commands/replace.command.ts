/** `kubectl replace`. Mirrors: kubectl pkg/cmd/replace/replace.go */
import { isNotFound } from "@knarr/apimachinery"
import { defineKubectlCommand } from "../command.ts"
import { deleteObject, waitGone, weekMs } from "../deletion.ts"
import { withSource } from "../errors.ts"
import { infosOf, readManifests } from "../files/manifests.ts"
import { flag } from "../flags.ts"
import { renewLastApplied, withLastApplied } from "../last-applied.ts"
import { at } from "../object.ts"
import { changePrinter, dryRunOf } from "../printers/printer.ts"
import { forEachInfo } from "../resources.ts"
import { dryRunFlag, fieldManagerFlag, fileFlags, printFlags, validateFlag } from "../shared-flags.ts"
import { createObject, replaceObject, validationOf } from "../writes.ts"
import { deletedText } from "./delete.command.ts"

export const replace = defineKubectlCommand({
  name: "replace",
  summary: "Replace a resource by file name or stdin",
  usage: "-f FILENAME",
  flags: [
    ...fileFlags,
    ...printFlags,
    dryRunFlag,
    validateFlag,
    fieldManagerFlag("kubectl-replace"),
    flag.text("cascade", {
      default: "background",
      bare: "background",
      help: 'Must be "background", "orphan", or "foreground".',
    }),
    flag.bool("force", "If true, immediately remove resources from API and bypass graceful deletion."),
    flag.int("grace-period", {
      default: "-1",
      help: "Period of time in seconds given to the resource to terminate gracefully.",
    }),
    flag.bool("save-config", "If true, the configuration of current object will be saved in its annotation."),
    flag.text(
      "subresource",
      "If specified, replace will operate on the subresource of the requested object.",
    ),
    flag.duration(
      "timeout",
      "The length of time to wait before giving up on a delete, zero means determine a timeout from the size of the object",
    ),
    flag.bool("wait", "If true, wait for resources to be gone before returning. This waits for finalizers."),
  ],
  run: async (ctx) => {
    const { flags } = ctx
    if (flags.list("filename").length === 0) throw new Error("must specify one of -f and -k")
    const dryRun = dryRunOf(ctx)
    const validation = validationOf(ctx)
    const api = await ctx.factory.api()
    const printer = await changePrinter(ctx, "replaced", dryRun)
    const infos = await infosOf(ctx, await readManifests(ctx))
    const options = { dryRun, validation, fieldManager: flags.text("field-manager") }
    await forEachInfo({ infos, errors: [] }, async (info) => {
      const wanted = flags.bool("save-config")
        ? withLastApplied(info.object)
        : renewLastApplied(info.object, info.object)
      if (dryRun === "client") return ctx.out(printer(wanted))
      if (flags.bool("force")) {
        try {
          const gracePeriod = flags.int("grace-period") < 0 ? 0 : flags.int("grace-period")
          const gone = await deleteObject(api, info, { gracePeriod, cascade: "Background", dryRun })
          const uid = (at(gone, "details", "uid") ?? at(gone, "metadata", "uid")) as string | undefined
          const timeoutMs = flags.duration("timeout") || weekMs
          ctx.out(deletedText(info, flags.text("output"), { seconds: gracePeriod }, dryRun, false))
          await waitGone(api, info, uid, { clock: ctx.io.clock, signal: ctx.signal, timeoutMs })
        } catch (thrown) {
          if (!isNotFound(thrown)) throw thrown
        }
        ctx.out(printer(await createObject(api, info, wanted, options)))
        return
      }
      try {
        const subresource = flags.text("subresource")
        ctx.out(
          printer(
            await replaceObject(api, info, wanted, { ...options, ...(subresource ? { subresource } : {}) }),
          ),
        )
      } catch (thrown) {
        throw withSource(thrown, "replacing", info.source)
      }
    })
    if (infos.length === 0) throw new Error("no objects passed to replace")
  },
})
