/**
 * Renews facts/go-types.json from the published Go definitions: the fields of every struct in Go's order, as
 * `Name type [json[,option…]]`, a leading `^` for what is embedded. Of the versioned types, and of the internal ones
 * (module k8s.io/kubernetes), whose texts are seen in refusals. Of versions that are not stable, those that are published.
 *
 *     node tools/facts/go-types.ts MODULE_DIR…     for example $(go env GOMODCACHE)/k8s.io/api@v0.37.2
 */
import { globSync, readFileSync, writeFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"

const structs: Record<string, string[]> = {}
/** Named types that are no structs: `io.k8s.api.core.v1.ResourceList` → `map[ResourceName]resource.Quantity`. */
const named: Record<string, string> = {}

const { schemas } = JSON.parse(
  readFileSync(join(import.meta.dirname, "../../facts/definitions-v3.json"), "utf8"),
) as { schemas: Readonly<Record<string, unknown>> }
const published = new Set(Object.keys(schemas).map((name) => name.slice(0, name.lastIndexOf("."))))

for (const module of process.argv.slice(2)) {
  const name = basename(module).split("@")[0]!
  const pattern =
    name === "kubernetes"
      ? "pkg/apis/*/types*.go"
      : name === "apiextensions-apiserver"
        ? "pkg/apis/apiextensions/{,v1/}types*.go"
        : "**/types*.go"
  const files = globSync(pattern, { cwd: module }).filter(
    (file) => !file.includes("_test") && !file.includes("internal/"),
  )
  for (const file of files.sort()) {
    const folder = dirname(file)
    const isInternal = /(^|\/)pkg\/apis\/\w+$/.test(folder)
    const packageName = isInternal ? basename(folder) : `io.k8s.${[name, ...folder.split("/")].join(".")}`
    if (/v\d+(alpha|beta)/.test(folder) && !published.has(packageName)) continue
    read(readFileSync(join(module, file), "utf8"), packageName)
  }
}

function read(text: string, packageName: string): void {
  const plain = text.replace(/\/\*[\s\S]*?\*\//g, "")
  for (const [, type, target] of plain.matchAll(/^type (\w+) +((?:\[\]|map\[[\w.]+\])?[\w.]+)$/gm))
    if (target !== "struct") named[`${packageName}.${type}`] = target!
  for (const [, type, body] of plain.matchAll(/^type (\w+) struct \{\n([\s\S]*?)^\}/gm)) {
    const rows: string[] = []
    for (const line of body!.split("\n")) {
      const field = /^\t(?:(\w+)\s+)?((?:\*|\[\]|map\[[\w.]+\])*[\w.]+)\s*(?:`([^`]*)`)?\s*(?:\/\/.*)?$/.exec(
        line,
      )
      if (!field) continue
      const [, own, goType, tags = ""] = field
      const json = /json:"([^"]*)"/.exec(tags)?.[1]
      if (json === "-") continue
      const hasName = json !== undefined && /^[^,]/.test(json)
      const embedded = !hasName && (own === undefined || json !== undefined)
      const fieldName = own ?? goType!.replace(/^.*\./, "")
      rows.push(`${embedded ? "^" : ""}${fieldName} ${goType}${hasName ? ` ${json}` : ""}`)
    }
    structs[`${packageName}.${type}`] = rows
  }
}

const sorted = <T>(table: Record<string, T>): Record<string, T> =>
  Object.fromEntries(Object.entries(table).sort(([a], [b]) => (a < b ? -1 : 1)))
const facts = { structs: sorted(structs), named: sorted(named) }
writeFileSync(
  join(import.meta.dirname, "../../facts/go-types.json"),
  JSON.stringify(facts, undefined, 1) + "\n",
)
process.stdout.write(`${Object.keys(structs).length} structs, ${Object.keys(named).length} named types\n`)
