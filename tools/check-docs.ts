/**
 * Fails on what a document names and is not there: the target of a link, a file or folder of this repository, an npm
 * script, a decision record. Names may have placeholders: `<kind>`, `*`, `{a,b}`.
 */
import { globSync, readFileSync } from "node:fs"
import { dirname, join, normalize } from "node:path"
import { root } from "./modules.ts"

const ignored = ["**/node_modules", "dist", ".git"]
const files = globSync("**/*", { cwd: root, exclude: ignored, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
/** Every file and every folder, with `/` before and behind folders. */
const places = new Set(files.flatMap((file) => [`/${file}`, ...foldersOf(file)]))
const starts = new Set(
  [...places].flatMap((place) => /^\/(?:packages\/(?:[^/]+\/src\/)?)?([^/]+)\/$/.exec(place)?.[1] ?? []),
)
const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly scripts: Readonly<Record<string, string>>
}
const records = new Set(files.flatMap((file) => /^docs\/adr\/(\d{4})-/.exec(file)?.[1] ?? []))

const problems = files.filter((file) => file.endsWith(".md")).flatMap((file) => [...problemsOf(file)])
if (problems.length > 0) {
  process.stderr.write(problems.join("\n") + "\n")
  process.exitCode = 1
}

function* problemsOf(file: string): Generator<string> {
  const text = readFileSync(join(root, file), "utf8")
  for (const [, link] of text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
    if (/^[a-z]+:/.test(link!)) continue
    const target = `/${normalize(join(dirname(file), link!))}`
    if (!places.has(target) && !places.has(`${target.replace(/\/$/, "")}/`))
      yield `${file}: no "${link}" to link to`
  }
  for (const [, script] of text.matchAll(/\bnpm run ([\w:-]+)/g))
    if (!(script! in scripts)) yield `${file}: package.json has no script "${script}"`
  for (const [, number] of text.matchAll(/\bADR (\d{4})\b/g))
    if (!records.has(number!)) yield `${file}: there is no decision record ${number}`
  for (const [, name] of text.matchAll(/`([\w.<>*{},/-]+)`/g))
    if (namesPlace(name!) && !isThere(name!)) yield `${file}: there is no \`${name}\``
}

/** A source, a script or a document, or a path that begins at a folder of the repository or of a package. */
function namesPlace(name: string): boolean {
  if (/[\w>*}]\.(?:ts|md|sh)$/.test(name)) return true
  const first = name.split("/")[0]!
  // A placeholder is in what a node or a server has, too.
  return (
    name.includes("/") &&
    !name.includes("<") &&
    first !== "dist" &&
    !/^knarr\/[\w-]+$/.test(name) &&
    starts.has(first)
  )
}

/** The end of some place's path, or of one that the name, as a pattern, can stand for. */
function isThere(name: string): boolean {
  if (places.has(`/${name}`)) return true
  const pattern = name
    .replaceAll(/[.+]/g, "\\$&")
    .replaceAll(/<[^>]*>|\*+/g, "[^/]*")
    .replaceAll(/\{([^}]*)\}/g, (_, list: string) => `(?:${list.replaceAll(",", "|")})`)
  const end = new RegExp(`/${pattern}/?$`)
  for (const place of places) if (end.test(place)) return true
  return false
}

/** `/packages/`, `/packages/base/` … */
function foldersOf(file: string): string[] {
  const parts = file.split("/").slice(0, -1)
  return parts.map((_, i) => `/${parts.slice(0, i + 1).join("/")}/`)
}
