/** What every bundle of the program is made with: for Node, as ES modules in few files, with lmdb's binaries beside it. */
import { join } from "node:path"
import type { BuildOptions } from "esbuild"

export const root: string = join(import.meta.dirname, "..")

export const bundleOptions = {
  absWorkingDir: root,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  splitting: true,
  chunkNames: "chunks/[name]-[hash]",
  platform: "node",
  format: "esm",
  keepNames: false,
  external: ["lmdb"],
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
  logLevel: "warning",
} as const satisfies BuildOptions

/** A thread's program, found beside the bundle. */
export const workers = { "yaml-worker": "packages/apiserver/src/endpoints/verbs/yaml-worker.ts" } as const
