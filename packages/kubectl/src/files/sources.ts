/** The texts that `-f` names: files, folders, URLs and standard input. Mirrors: cli-runtime pkg/resource/visitor.go */
import { readFile, readdir, stat } from "node:fs/promises"
import { isAbsolute, join } from "node:path"
import { goQuote } from "@knarr/apimachinery"
import type { CommandContext } from "../command.ts"

export interface Source {
  /** What messages call it. */
  readonly name: string
  readonly text: string
}

const manifestNames = /\.(?:json|yaml|yml)$/

/** Reads everything that the flags `-f` and `-R` name, in order. */
export async function readSources(ctx: CommandContext): Promise<Source[]> {
  const out: Source[] = []
  for (const name of ctx.flags.list("filename")) out.push(...(await readOne(ctx, name)))
  return out
}

/** A path as the user gave it, from the folder the user is in. */
export function userPath(ctx: Pick<CommandContext, "io">, path: string): string {
  return isAbsolute(path) || !ctx.io.cwd ? path : join(ctx.io.cwd, path)
}

async function readOne(ctx: CommandContext, name: string): Promise<Source[]> {
  if (name === "-") return [{ name: "STDIN", text: await readStdin(ctx) }]
  if (/^https?:\/\//.test(name)) return [{ name, text: await download(ctx, name) }]
  const path = userPath(ctx, name)
  let info
  try {
    info = await stat(path)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") {
      throw new Error(`the path ${goQuote(name)} does not exist`, { cause })
    }
    throw new Error(`the path ${goQuote(name)} cannot be accessed: ${(cause as Error).message}`, { cause })
  }
  if (!info.isDirectory()) return [{ name, text: await readFile(path, "utf8") }]
  const files = await manifestsIn(path, ctx.flags.bool("recursive"))
  const shown = (file: string): string => join(name, file.slice(path.length))
  const out: Source[] = []
  for (const file of files) out.push({ name: shown(file), text: await readFile(file, "utf8") })
  if (out.length === 0) {
    throw new Error(`error reading [${name}]: recognized file extensions are [.json .yaml .yml]`)
  }
  return out
}

async function manifestsIn(dir: string, recursive: boolean): Promise<string[]> {
  const out: string[] = []
  const entries = (await readdir(dir, { withFileTypes: true })).toSorted((a, b) => (a.name < b.name ? -1 : 1))
  for (const entry of entries) {
    const path = join(dir, entry.name)
    if (entry.isDirectory()) {
      if (recursive) out.push(...(await manifestsIn(path, true)))
    } else if (manifestNames.test(entry.name)) out.push(path)
  }
  return out
}

/** Everything that standard input holds. */
export async function readStdin(ctx: Pick<CommandContext, "io">): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of ctx.io.stdin) chunks.push(Buffer.from(chunk as Buffer))
  return Buffer.concat(chunks).toString("utf8")
}

async function download(ctx: CommandContext, url: string): Promise<string> {
  const response = await fetch(url, { signal: ctx.signal })
  if (!response.ok) {
    throw new Error(
      `unable to read URL ${goQuote(url)}, server reported ${response.status} ${response.statusText}, status code=${response.status}`,
    )
  }
  return response.text()
}
