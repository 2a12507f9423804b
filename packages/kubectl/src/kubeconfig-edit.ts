/** Changing kubeconfig files in place. Mirrors: client-go tools/clientcmd/config.go (ModifyConfig) */
import { existsSync } from "node:fs"
import { mkdir, readFile, rename, writeFile } from "node:fs/promises"
import { dirname } from "node:path"
import { stringifyYaml } from "@knarr/apimachinery"
import { parseKubeconfig } from "@knarr/client"
import type { CommandContext } from "./command.ts"
import type { Obj } from "./object.ts"

export type EntryList = "clusters" | "contexts" | "users"
export type Entry = Obj & { name: string }

export interface AnyConfig extends Obj {
  clusters: Entry[]
  contexts: Entry[]
  users: Entry[]
  "current-context": string
}

export function findEntry(config: AnyConfig, list: EntryList, name: string): Entry | undefined {
  return config[list].find((entry) => entry.name === name)
}

/** Reads one file without touching the paths in it. */
async function readPlain(file: string): Promise<AnyConfig> {
  const text = existsSync(file) ? await readFile(file, "utf8") : ""
  return parseKubeconfig(file, text)
}

/**
 * Changes the file that has the entry, or the first that exists. Resolves with the file's path. The file is
 * replaced as a whole, so that nobody reads half of it.
 */
export async function changeKubeconfig(
  ctx: CommandContext,
  entry: { readonly list: EntryList; readonly name: string },
  change: (config: AnyConfig, file: string) => void,
): Promise<string> {
  const files = ctx.factory.kubeconfigFiles()
  let chosen = files.find((file) => existsSync(file)) ?? files.at(-1)!
  for (const file of files) {
    if (findEntry(await readPlain(file), entry.list, entry.name)) {
      chosen = file
      break
    }
  }
  const config = await readPlain(chosen)
  change(config, chosen)
  await mkdir(dirname(chosen), { recursive: true })
  const temporary = `${chosen}.${process.pid}.tmp`
  await writeFile(temporary, stringifyYaml(config), { mode: 0o600 })
  await rename(temporary, chosen)
  return chosen
}
