/** The licences of what a bundle has in it, as they ask to be handed on. */
import { existsSync, readFileSync, readdirSync } from "node:fs"
import { join } from "node:path"
import type { Metafile } from "esbuild"
import { root } from "../bundle-options.ts"

/** Throws when a package in a bundle comes without the text of its licence. */
export function noticesOf(metafiles: readonly Metafile[]): string {
  const names = new Set(
    metafiles.flatMap(({ inputs }) =>
      Object.keys(inputs).flatMap((file) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1] ?? []),
    ),
  )
  return [...names].sort().map(noticeOf).join("\n")
}

function noticeOf(name: string): string {
  const dir = join(root, "node_modules", name)
  const file = existsSync(dir) && readdirSync(dir).find((one) => /^licen[cs]e/i.test(one))
  if (!file) throw new Error(`Cannot pack "${name}": it has no text of its licence`)
  const { version, license } = JSON.parse(readFileSync(join(dir, "package.json"), "utf8")) as {
    readonly version: string
    readonly license: string
  }
  return `── ${name} ${version} (${license}) ──\n\n${readFileSync(join(dir, file), "utf8").trim()}\n`
}
