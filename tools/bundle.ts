/** Bundles the `knarr` command into dist/: few files, because start-up time is a feature. */
import { build } from "esbuild"
import { copyFileSync } from "node:fs"
import { join } from "node:path"
import { bundleOptions, root, workers } from "./bundle-options.ts"

await build({
  ...bundleOptions,
  entryPoints: { knarr: "packages/knarr/src/main.ts", ...workers },
  outdir: "dist",
  target: "node26",
  minifySyntax: true,
  minifyWhitespace: true,
  sourcemap: "linked",
  sourcesContent: false,
})
copyFileSync(join(root, "packages/knarr/src/supervise.sh"), join(root, "dist/supervise.sh"))
