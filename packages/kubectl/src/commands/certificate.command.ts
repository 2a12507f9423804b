/** `kubectl certificate approve|deny`. Mirrors: kubectl pkg/cmd/certificates */
import { formatTime } from "@knarr/apimachinery"
import { defineKubectlCommand, type KubectlCommand } from "../command.ts"
import { flag } from "../flags.ts"
import { at, type Obj } from "../object.ts"
import { changePrinter } from "../printers/printer.ts"
import { forEachInfo, selectInfos } from "../resources.ts"
import { fileFlags, printFlags, selectorFlag } from "../shared-flags.ts"
import { replaceObject } from "../writes.ts"

function decision(name: string, type: string, done: string, reason: string, summary: string): KubectlCommand {
  return {
    name,
    summary,
    usage: "(-f FILENAME | NAME)",
    flags: [
      ...fileFlags,
      ...printFlags,
      selectorFlag,
      flag.bool("force", "Update the CSR even if it is already approved or denied."),
    ],
    run: async (ctx) => {
      if (ctx.args.length === 0 && ctx.flags.list("filename").length === 0)
        throw new Error("one or more CSRs must be specified as <name> or -f <filename>")
      const printer = await changePrinter(ctx, done, "none")
      const found = await selectInfos(ctx, {
        args: ["certificatesigningrequests", ...ctx.args],
        latest: true,
      })
      await forEachInfo(found, async (info) => {
        const conditions = (at(info.object, "status", "conditions") ?? []) as Obj[]
        if (conditions.some((one) => one["type"] === type) && !ctx.flags.bool("force")) {
          ctx.out(printer(info.object))
          return
        }
        const now = formatTime(ctx.io.clock.now())
        const added = {
          type,
          status: "True",
          reason,
          message: `This CSR was ${done} by kubectl certificate ${name}.`,
          lastUpdateTime: now,
        }
        const wanted = {
          ...info.object,
          status: { ...info.object["status"], conditions: [...conditions, added] },
        }
        ctx.out(
          printer(await replaceObject(await ctx.factory.api(), info, wanted, { subresource: "approval" })),
        )
      })
    },
  }
}

export const certificate = defineKubectlCommand({
  name: "certificate",
  summary: "Modify certificate resources",
  usage: "SUBCOMMAND",
  helpIsAnswer: true,
  subcommands: [
    decision("approve", "Approved", "approved", "KubectlApprove", "Approve a certificate signing request"),
    decision("deny", "Denied", "denied", "KubectlDeny", "Deny a certificate signing request"),
  ],
})
