/**
 * Makes dist/package/, which `npm pack` puts into the package (package.json has the rest): the command and the modules
 * of `exports` as plain JavaScript for the oldest Node that `engines` names, as ES modules and for `require`, with
 * their declarations.
 */
import { spawnSync } from "node:child_process"
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join, relative } from "node:path"
import { build, type Metafile, type Plugin } from "esbuild"
import { bundleOptions, root, workers } from "../bundle-options.ts"
import { readModules } from "../modules.ts"
import { writeDeclarations } from "./declarations.ts"
import { noticesOf } from "./notices.ts"

const target = join(root, "dist/package")
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly exports: Readonly<Record<string, unknown>>
  readonly engines: { readonly node: string }
}
const oldest = /^>=(\d+)/.exec(manifest.engines.node)![1]!
/** The modules of packages/knarr/src that `exports` names. */
const modules = Object.keys(manifest.exports)
  .filter((name) => name !== "./package.json")
  .map((name) => (name === "." ? "index" : name.slice(2)))
const sourceOf = (name: string): string => `packages/knarr/src/${name}.ts`

/** Modules that are imported for what they do: those that register schemas. */
const registering = new Set(
  readModules()
    .values()
    .flatMap(({ imports }) => imports)
    .filter(({ names, handedOn, onDemand }) => names.length === 0 && !handedOn && !onDemand)
    .map(({ target: file }) => file),
)

/** Importing any other module of ours does nothing: what nobody uses is left out. */
const withoutSideEffects: Plugin = {
  name: "without side effects",
  setup(plugin) {
    plugin.onResolve({ filter: /^(lmdb$|node:)/ }, ({ path }) => ({
      path,
      external: true,
      sideEffects: false,
    }))
    plugin.onResolve({ filter: /^(@knarr\/|\.)/ }, async ({ path, pluginData, ...from }) => {
      if (pluginData === withoutSideEffects) return undefined
      const { importer, kind, resolveDir, namespace } = from
      const found = await plugin.resolve(path, {
        ...{ importer, kind, resolveDir, namespace },
        pluginData: withoutSideEffects,
      })
      const file = relative(root, found.path)
      return file.startsWith("packages/") && !registering.has(file) ? { ...found, sideEffects: false } : found
    })
  },
}

const common = {
  ...bundleOptions,
  target: `node${oldest}`,
  plugins: [withoutSideEffects] as Plugin[],
  metafile: true,
  logOverride: { "ignored-bare-import": "error" },
} as const

rmSync(target, { recursive: true, force: true })
mkdirSync(target, { recursive: true })
const made = await Promise.all([
  build({
    ...common,
    entryPoints: { knarr: sourceOf("bin"), ...workers },
    outdir: target,
    banner: { js: `#!/usr/bin/env node\n${common.banner.js}` },
  }),
  build({
    ...common,
    entryPoints: Object.fromEntries(modules.map((name) => [name, sourceOf(name)])),
    outdir: target,
  }),
  buildForRequire(),
])
for (const name of modules)
  writeFileSync(join(target, `${name}.cjs`), `module.exports = require("./all.cjs")["${name}"]\n`)
copyFileSync(join(root, "packages/knarr/src/supervise.sh"), join(target, "supervise.sh"))
const docs = spawnSync(process.execPath, [join(root, "tools/docs.ts")], { stdio: "inherit" })
if (docs.status !== 0) throw new Error("Cannot make the texts of the API's fields: see above")
copyFileSync(join(root, "dist/openapi-docs.bin"), join(target, "openapi-docs.bin"))
writeFileSync(
  join(target, "THIRD-PARTY-NOTICES.txt"),
  noticesOf(made.map(({ metafile }) => metafile as Metafile)),
)
writeDeclarations(join(target, "types"), modules.map(sourceOf))

/** One file with all modules, so that they share what they have in common. */
function buildForRequire() {
  const text = modules.map(
    (name) => `export * as ${JSON.stringify(name)} from ${JSON.stringify(`./${sourceOf(name)}`)}`,
  )
  return build({
    ...common,
    stdin: { contents: text.join("\n"), resolveDir: root },
    outfile: join(target, "all.cjs"),
    outExtension: {},
    splitting: false,
    format: "cjs",
    // Whoever needs `require` may run where `import()` is not at hand: in a test framework's sandbox.
    supported: { "dynamic-import": false },
    define: { "import.meta.url": "__moduleUrl", "import.meta.dirname": "__dirname" },
    banner: { js: 'const __moduleUrl = require("node:url").pathToFileURL(__filename).href;' },
  })
}
