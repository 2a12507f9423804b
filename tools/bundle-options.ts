/** What every bundle of the program is made with: for Node, as ES modules in few files, with lmdb's binaries beside it. */
import http from "node:http"
import { join } from "node:path"
import type { BuildOptions, Plugin } from "esbuild"

export const root: string = join(import.meta.dirname, "..")

/** Of node:http: reading them loads an HTTP client of a megabyte that is never used. */
const lazyNames = new Set(["WebSocket", "CloseEvent", "MessageEvent"])

/**
 * Takes node:http without its lazy parts. An `import` reads every export of a built-in module, and with these ones it
 * costs each process 25 ms and 15 MB.
 */
const leanHttp: Plugin = {
  name: "lean node:http",
  setup(build) {
    const names = Object.keys(http).filter((name) => !lazyNames.has(name))
    build.onResolve({ filter: /^(node:)?http$/ }, ({ kind }) =>
      kind === "import-statement" ? { path: "http", namespace: "lean" } : undefined,
    )
    build.onLoad({ filter: /^http$/, namespace: "lean" }, () => ({
      contents: `export const { ${names.join(", ")} } = process.getBuiltinModule("node:http")`,
    }))
  },
}

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
  plugins: [leanHttp],
  banner: {
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
  logLevel: "warning",
} as const satisfies BuildOptions

/** A thread's program, found beside the bundle. */
export const workers = { "yaml-worker": "packages/apiserver/src/endpoints/verbs/yaml-worker.ts" } as const
