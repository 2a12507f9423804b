/**
 * What a column's text is, as a fact without prose where that is possible: which field's documentation it repeats.
 * A text that no documentation holds word for word is the column's own and stays as it is.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { brotliDecompressSync } from "node:zlib"

type Texts = Readonly<Record<string, Readonly<Record<string, string>>>>

const docs = join(import.meta.dirname, "../../dist/openapi-docs.bin")
/** OpenAPI adds these to what the type says. */
const enumValues = /\n\nPossible enum values:[\s\S]*$/

/** Answers with `doc:<definition>.<field>` for the text of a field, and with the text itself for others. */
export function columnTextReader(): (text: string) => string {
  const byText = new Map<string, string>()
  const all = JSON.parse(brotliDecompressSync(readFileSync(docs)).toString("utf8")) as Texts
  for (const name of Object.keys(all).sort())
    for (const [field, text] of Object.entries(all[name]!)) {
      const plain = text.replace(enumValues, "")
      if (field !== "" && !byText.has(plain)) byText.set(plain, `doc:${name}.${field}`)
    }
  // Many types have a field with the text of this one.
  const meta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
  for (const field of ["name", "creationTimestamp"]) byText.set(all[meta]![field]!, `doc:${meta}.${field}`)
  return (text) => (text === "" ? "" : (byText.get(text) ?? text))
}
