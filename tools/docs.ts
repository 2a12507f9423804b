/**
 * Writes dist/openapi-docs.bin: the texts of the API's types and fields, which `kubectl explain` prints, out of
 * the doc comments of `@kubernetes/client-node` and `kubernetes-types`. The project's own tables have no prose.
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
import { readClientModel, readTypesModule } from "./docs/sources.ts"

const root = join(import.meta.dirname, "..")
const target = join(root, "dist/openapi-docs.bin")
const models = join(root, "node_modules/@kubernetes/client-node/dist/gen/models")
const types = join(root, "node_modules/kubernetes-types")
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
  const modules = readdirSync(types, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".d.ts"))
    .map(
      (file) =>
        [file.slice(0, -".d.ts".length), readTypesModule(readFileSync(join(types, file), "utf8"))] as const,
    )
  return {
    modelNames: readdirSync(models)
      .filter((file) => file.endsWith(".d.ts"))
      .map((file) => file.slice(0, -".d.ts".length)),
    readModel: (name) => readClientModel(readFileSync(join(models, `${name}.d.ts`), "utf8")),
    modules: new Map(modules),
  }
}
