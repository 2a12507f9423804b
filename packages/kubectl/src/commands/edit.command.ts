/** `kubectl edit`. Mirrors: kubectl pkg/cmd/util/editor/editoptions.go */
import { spawn } from "node:child_process"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  createMergePatch,
  createTwoWayMergePatch,
  jsonEqual,
  loadYaml,
  stringifyYaml,
  type JsonObject,
} from "@knarr/apimachinery"
import { defineKubectlCommand, type CommandContext } from "../command.ts"
import { flag } from "../flags.ts"
import { withoutManagedFields, type Obj } from "../object.ts"
import { changePrinter } from "../printers/printer.ts"
import { selectInfos } from "../resources.ts"
import { fieldManagerFlag, fileFlags, printFlags, validateFlag } from "../shared-flags.ts"
import { patchObject, validationOf } from "../writes.ts"

const preamble = `# Please edit the object below. Lines beginning with a '#' will be ignored,
# and an empty file will abort the edit. If an error occurs while saving this file will be
# reopened with the relevant failures.
#
`

export const edit = defineKubectlCommand({
  name: "edit",
  summary: "Edit a resource on the server",
  usage: "(RESOURCE/NAME | -f FILENAME)",
  flags: [
    ...fileFlags,
    ...printFlags,
    validateFlag,
    fieldManagerFlag("kubectl-edit"),
    flag.text("subresource", "If specified, edit will operate on the subresource of the requested object."),
  ],
  run: runEdit,
})

async function runEdit(ctx: CommandContext): Promise<void> {
  const found = await selectInfos(ctx, { args: ctx.args, latest: true, wholeCollections: true })
  if (found.errors.length > 0) throw found.errors[0]!
  const dir = await mkdtemp(join(tmpdir(), "kubectl-edit-"))
  try {
    for (const [i, info] of found.infos.entries()) {
      const file = join(dir, `${i}.yaml`)
      const before = withoutManagedFields(info.object)
      let text = preamble + stringifyYaml(before)
      for (;;) {
        await writeFile(file, text, { mode: 0o600 })
        await openEditor(ctx, file)
        const edited = await readFile(file, "utf8")
        const plain = edited
          .split("\n")
          .filter((line) => !line.startsWith("#"))
          .join("\n")
        if (plain.trim() === "") {
          ctx.out("Edit cancelled, saved file was empty.\n")
          break
        }
        if (edited === text) {
          ctx.err(
            text.startsWith(preamble)
              ? "Edit cancelled, no changes made.\n"
              : "Edit cancelled, no valid changes were saved.\n",
          )
          break
        }
        try {
          const after = (await loadYaml()).parse(plain) as Obj
          if (jsonEqual(before, after)) {
            ctx.err("Edit cancelled, no changes made.\n")
            break
          }
          const { builtinKind } = await import("../builtin-kinds.ts")
          const kind = builtinKind(info.object)
          const patch = kind
            ? createTwoWayMergePatch(before as JsonObject, after as JsonObject, kind.schema)
            : createMergePatch(before as JsonObject, after as JsonObject)
          const subresource = ctx.flags.text("subresource")
          const result = await patchObject(
            await ctx.factory.api(),
            info,
            kind ? "strategic" : "merge",
            patch,
            {
              fieldManager: ctx.flags.text("field-manager"),
              validation: validationOf(ctx),
              ...(subresource ? { subresource } : {}),
            },
          )
          ctx.out((await changePrinter(ctx, "edited", "none"))(result))
          break
        } catch (thrown) {
          const { message } = thrown as Error
          ctx.err(
            `error: ${info.resource.plural} ${JSON.stringify(info.name)} could not be patched: ${message}\n`,
          )
          text = `${preamble.trimEnd()}\n# ${message.replaceAll("\n", "\n# ")}\n#\n${plain}`
        }
      }
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/** Opens the user's editor on a file and waits until it is closed. */
function openEditor(ctx: CommandContext, file: string): Promise<void> {
  const { env } = ctx.io
  const editor = env["KUBE_EDITOR"] || env["EDITOR"] || "vi"
  return new Promise((resolve, reject) => {
    const child = spawn("sh", ["-c", `${editor} "$1"`, "sh", file], { stdio: "inherit" })
    child.on("error", reject)
    child.on("close", (code) =>
      code === 0
        ? resolve()
        : reject(new Error(`there was a problem with the editor ${JSON.stringify(editor)}`)),
    )
  })
}
