/** `npm run gen`: writes every generated file; with `--verify`, fails instead when one is not current. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { generateBootstrap } from "./bootstrap.ts"
import { generateColumnTexts } from "./columns.ts"
import { generateFeatureGates } from "./feature-gates.ts"
import { generateGoTypes } from "./go-types.ts"
import { generateKinds } from "./kinds.ts"
import { generateRpc } from "./rpc.ts"
import { generateShapes } from "./shapes.ts"

const root = join(import.meta.dirname, "../..")
const verify = process.argv.includes("--verify")
const facts = join(root, "facts")
const files = new Map([
  ...generateBootstrap(facts),
  ...generateFeatureGates(facts),
  ...generateGoTypes(facts),
  ...generateColumnTexts(facts),
  ...generateShapes(facts),
  ...generateKinds(join(root, "packages")),
  ...generateRpc(facts),
])
const stale: string[] = []
for (const [path, text] of files) {
  const file = join(root, "packages", path)
  if (existsSync(file) && readFileSync(file, "utf8") === text) continue
  stale.push(path)
  if (verify) continue
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}
if (verify && stale.length > 0) {
  process.stderr.write(`Generated files are not current; run \`npm run gen\`:\n  ${stale.join("\n  ")}\n`)
  process.exitCode = 1
} else {
  process.stdout.write(`${files.size} generated files, ${stale.length} ${verify ? "stale" : "written"}\n`)
}
