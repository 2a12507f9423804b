/** Bundles the `knarr` command into dist/: few files, because start-up time is a feature. */
import { build } from "esbuild"
import { copyFileSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")
await build({
  absWorkingDir: root,
  entryPoints: {
    knarr: "packages/knarr/src/main.ts",
    "yaml-worker": "packages/apiserver/src/endpoints/verbs/yaml-worker.ts",
  },
  outdir: "dist",
  outExtension: { ".js": ".mjs" },
  bundle: true,
  splitting: true,
  chunkNames: "chunks/[name]-[hash]",
  platform: "node",
  format: "esm",
  target: "node26",
  minifySyntax: true,
  minifyWhitespace: true,
  keepNames: false,
  sourcemap: "linked",
  sourcesContent: false,
  external: ["lmdb"],
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
  logLevel: "warning",
})
copyFileSync(join(root, "packages/knarr/src/supervise.sh"), join(root, "dist/supervise.sh"))
