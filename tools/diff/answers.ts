/**
 * The reference's answers to scripts, kept out of the tree (`~/.cache/knarr-reference/answers`): a script that has
 * been asked once, word for word, is not asked again.
 */
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { homedir } from "node:os"
import { join } from "node:path"
import { gunzipSync, gzipSync } from "node:zlib"
import type { Script } from "./script.ts"
import type { RawAnswers } from "./send.ts"

export const cacheDir: string = process.env["KNARR_REFERENCE"] ?? join(homedir(), ".cache/knarr-reference")

function fileOf(script: Script): string {
  const hash = createHash("sha256").update(JSON.stringify(script)).digest("hex").slice(0, 32)
  return join(cacheDir, "answers", script.group, `${script.name}-${hash}.json.gz`)
}

export function knownAnswers(script: Script): RawAnswers | undefined {
  const file = fileOf(script)
  if (!existsSync(file)) return undefined
  return JSON.parse(gunzipSync(readFileSync(file)).toString("utf8")) as RawAnswers
}

export function keepAnswers(script: Script, answers: RawAnswers): void {
  const file = fileOf(script)
  mkdirSync(join(file, ".."), { recursive: true })
  writeFileSync(file, gzipSync(JSON.stringify(answers)))
}
