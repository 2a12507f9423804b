/**
 * Writes dist/openapi-docs.bin: the texts of the API's types and fields, which `kubectl explain` prints, out of
 * the doc comments of `@kubernetes/client-node` and `kubernetes-models`. The project's own tables have no prose.
 * Does nothing when the file is newer than what it is made of.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import { brotliCompressSync, constants } from "node:zlib"
import { collectTexts, type Definition, type Sources } from "./docs/collect.ts"
import { readClientClass, readModel } from "./docs/sources.ts"

const root = join(import.meta.dirname, "..")
const target = join(root, "dist/openapi-docs.bin")
const classes = join(root, "node_modules/@kubernetes/client-node/dist/gen/models")
const models = ["kubernetes-models", "@kubernetes-models/apimachinery"].map((name) =>
  join(root, "node_modules", name),
)
const facts = join(root, "facts/definitions-v3.json")
const inputs = [
  facts,
  join(root, "package-lock.json"),
  join(root, "tools/docs.ts"),
  ...readdirSync(join(root, "tools/docs")).map((file) => join(root, "tools/docs", file)),
]

if (!isFresh()) write()

function isFresh(): boolean {
  if (!existsSync(target)) return false
  const made = statSync(target).mtimeMs
  return inputs.every((file) => statSync(file).mtimeMs <= made)
}

function write(): void {
  const { schemas } = JSON.parse(readFileSync(facts, "utf8")) as {
    schemas: Readonly<Record<string, Definition>>
  }
  const texts = collectTexts(schemas, sources())
  const packed = brotliCompressSync(JSON.stringify(texts), {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 9,
      [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
    },
  })
  mkdirSync(join(root, "dist"), { recursive: true })
  // Whoever reads meanwhile sees the old file or the new one.
  const draft = `${target}.${process.pid}`
  writeFileSync(draft, packed)
  renameSync(draft, target)
}

function sources(): Sources {
  const read = models.flatMap((dir) =>
    readdirSync(dir, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".d.ts") && !file.startsWith("_schemas/"))
      .map((file) => readModel(readFileSync(join(dir, file), "utf8")))
      .filter((model) => model !== undefined),
  )
  return {
    models: new Map(read.map(({ name, texts }) => [name, texts])),
    classNames: readdirSync(classes)
      .filter((file) => file.endsWith(".d.ts"))
      .map((file) => file.slice(0, -".d.ts".length)),
    readClass: (name) => readClientClass(readFileSync(join(classes, `${name}.d.ts`), "utf8")),
  }
}
