/** Knarr's API server and its store as one process, bundled as the shipped command is. */
import { allocatorSettings, serverNodeFlags } from "knarr"
import { createInterface } from "node:readline"
import { join } from "node:path"
import { build } from "esbuild"
import { bundleOptions } from "../tools/bundle-options.ts"
import { writeCredentials } from "./credentials.ts"
import { describeServer, waitUntilReady, type Server } from "./server.ts"
import { freePorts, root, type Workspace } from "./workspace.ts"

/** Beside the modules, so that what is not bundled is found. */
const bundleDir = join(root, "node_modules/.cache/bench")
const cacheDir = join(root, "node_modules/.cache/compile")
let bundled: Promise<string> | undefined

/** Bundles the server; the same settings as tools/bundle.ts, but with names that a profile can show. */
function bundle(): Promise<string> {
  bundled ??= build({
    ...bundleOptions,
    entryPoints: { "knarr-apiserver": "bench/knarr-apiserver.ts" },
    outdir: bundleDir,
    splitting: false,
    target: "node26",
    minifySyntax: true,
    minifyWhitespace: false,
    sourcemap: "linked",
    sourcesContent: false,
  }).then(() => join(bundleDir, "knarr-apiserver.mjs"))
  return bundled
}

export async function startKnarr(workspace: Workspace, name: string): Promise<Server> {
  const program = await bundle()
  const dir = workspace.folder(name)
  const credentials = writeCredentials(dir)
  const [port] = await freePorts(1)
  const startedMs = performance.now()
  const server = workspace.spawn(
    `${name}-apiserver`,
    [
      process.execPath,
      "--disable-warning=ExperimentalWarning",
      ...serverNodeFlags,
      program,
      dir,
      String(port),
    ],
    { pipes: true, env: { NODE_COMPILE_CACHE: cacheDir, ...allocatorSettings } },
  )
  const answers = createInterface({ input: server.child.stdout! })
  const ended = new Promise<never>((_, reject) => {
    server.child.once("exit", () => reject(new Error(`${server.name} ended`)))
  })
  ended.catch(() => {})
  const ask = (line: string): Promise<unknown> => {
    server.child.stdin!.write(`${line}\n`)
    return Promise.race([new Promise((resolve) => answers.once("line", resolve)), ended])
  }
  const readyMs = await waitUntilReady(port!, credentials, [server], startedMs)
  return {
    ...describeServer("knarr", port!, credentials, [server], readyMs),
    async profile() {
      await ask("profile")
      return async (file) => void (await ask(`save ${file}`))
    },
  }
}
