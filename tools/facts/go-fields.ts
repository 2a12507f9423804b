/**
 * Renews facts/go-fields.json from the published Go definitions of the API (module k8s.io/api and its like):
 * which fields are plain values that Go leaves out when they are zero, which times, lists and maps it prints as null when
 * they are not set, and which fields it leaves out when they hold nothing although an object must have them. The schemas
 * that a server publishes cannot tell them from the others.
 *
 *     node tools/facts/go-fields.ts MODULE_DIR…     for example $(go env GOMODCACHE)/k8s.io/api@v0.37.2
 */
import { globSync, readFileSync, writeFileSync } from "node:fs"
import { basename, dirname, join, relative } from "node:path"

const root = join(import.meta.dirname, "../..")
const out: Record<string, string[]> = {}
const printNull: Record<string, string[]> = {}
/** Type → types that JSON writes inline in it. */
const embedded: Record<string, string[]> = {}
const omitEmpty: Record<string, string[]> = {}
const { schemas } = JSON.parse(readFileSync(join(root, "facts/definitions-v3.json"), "utf8")) as {
  schemas: Record<string, { required?: string[] }>
}
const scalar = /^(string|bool|int|int32|int64|uint8|uint32|float64|[A-Z]\w*|\w+\.[A-Z]\w*)$/

for (const module of process.argv.slice(2)) {
  const [name] = basename(module).split("@") as [string]
  const files = globSync("**/types*.go", { cwd: module }).filter(
    (file) => !file.includes("_test") && !file.includes("internal/"),
  )
  /** Named types that are plain values: `type ServiceType string`. */
  const named = new Set<string>()
  for (const file of files) {
    for (const [, type] of readFileSync(join(module, file), "utf8").matchAll(
      /^type (\w+) (?:string|bool|int\d*|uint\d*|float64)$/gm,
    ))
      named.add(type!)
  }
  for (const type of ["ConditionStatus", "UID", "NodeName"]) named.add(type)
  for (const file of files) {
    const packageName = `io.k8s.${[name, ...dirname(relative(module, join(module, file))).split("/")].join(".")}`
    const text = readFileSync(join(module, file), "utf8")
    for (const [, type, body] of text.matchAll(/^type (\w+) struct \{\n([\s\S]*?)^\}/gm)) {
      const fields: string[] = []
      for (const [, goType, json] of body!.matchAll(
        /^\t\w+\s+(\S+)\s+`[^`]*json:"([\w$-]+),omitempty[^`]*`/gm,
      )) {
        const base = goType!.split(".").at(-1)!
        if (scalar.test(goType!) && (/^[a-z]/.test(base) || named.has(base))) fields.push(json!)
      }
      const required = schemas[`${packageName}.${type}`]?.required ?? []
      const omitted = [...body!.matchAll(/^\t\w+\s+(?:\*|\[\]|map\[)\S+\s+`[^`]*json:"([\w$-]+),omitempty/gm)]
        .map(([, json]) => json!)
        .filter((json) => required.includes(json))
      if (omitted.length > 0) omitEmpty[`${packageName}.${type}`] = omitted.sort()
      const inline = [...body!.matchAll(/^\t(\w+)\s+`[^`]*json:"(?:,inline)?"/gm)].map(
        ([, inner]) => `${packageName}.${inner}`,
      )
      if (inline.length > 0) embedded[`${packageName}.${type}`] = inline
      // A struct is never empty to Go: `omitempty` does not leave it out, only `omitzero` does.
      const times: string[] = []
      for (const [, json, options] of body!.matchAll(
        /^\t\w+\s+(?:\w+\.)?(?:Micro)?Time\s+`[^`]*json:"(\w+)([^"]*)"/gm,
      ))
        if (!options!.includes("omitzero")) times.push(json!)
      // Nothing and an empty list are one to protobuf, and so to what is stored.
      const lists = [...body!.matchAll(/^\t\w+\s+(?:\[\](?!byte)|map\[)\S+\s+`[^`]*json:"(\w+)"/gm)].map(
        ([, json]) => json!,
      )
      const nulls = [...times, ...lists.filter((json) => json !== "items")]
      if (nulls.length > 0) printNull[`${packageName}.${type}`] = nulls.sort()
      if (fields.length > 0) out[`${packageName}.${type}`] = fields.sort()
    }
  }
}
for (const table of [out, printNull]) {
  for (const [type, inner] of Object.entries(embedded)) {
    const fields = new Set([type, ...inner].flatMap((one) => table[one] ?? []))
    if (fields.size > 0) table[type] = [...fields].sort()
  }
}
const sorted = (table: Record<string, string[]>): Record<string, string[]> =>
  Object.fromEntries(Object.entries(table).sort(([a], [b]) => (a < b ? -1 : 1)))
const facts = { omitZero: sorted(out), printNull: sorted(printNull), omitEmpty: sorted(omitEmpty) }
writeFileSync(join(root, "facts/go-fields.json"), JSON.stringify(facts, undefined, 1) + "\n")
process.stdout.write(`${Object.keys(out).length} types\n`)
