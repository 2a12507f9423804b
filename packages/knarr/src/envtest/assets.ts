/** The folder that KUBEBUILDER_ASSETS names: scripts that start us in the place of what Go's envtest starts. */
import { createHash } from "node:crypto"
import { mkdirSync, realpathSync } from "node:fs"
import { join } from "node:path"
import { readIfThere, writeAtomically } from "../cluster-home.ts"

/** What envtest starts, and how we are started instead. */
const assets: Readonly<Record<string, readonly string[]>> = {
  etcd: ["envtest", "etcd"],
  "kube-apiserver": ["envtest", "kube-apiserver"],
  kubectl: ["kubectl"],
}

/**
 * Makes the folder below `home` and answers its path. `command` is what runs this program. Each program has a folder of its
 * own, so that several versions are in nobody's way.
 */
export function writeAssets(
  home: string,
  command: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): string {
  const id = createHash("sha256").update(command.join("\0")).digest("hex").slice(0, 12)
  const dir = join(home, ".envtest", id)
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const cache = environment["NODE_COMPILE_CACHE"]
  for (const [name, words] of Object.entries(assets)) {
    const text = [
      "#!/bin/sh",
      `# Knarr in the place of ${name}, for envtest.`,
      ...(cache === undefined ? [] : [`export NODE_COMPILE_CACHE=${quoted(cache)}`]),
      `exec ${[...command, ...words].map(quoted).join(" ")} "$@"`,
      "",
    ].join("\n")
    const file = join(dir, name)
    // Suites that run at one moment start from the same folder.
    if (readIfThere(file) !== text) writeAtomically(file, text, 0o755)
  }
  return dir
}

/** How this process was started: the same command starts another one. */
export function ownCommand(): string[] {
  return [process.execPath, ...process.execArgv, realpathSync(process.argv[1]!)]
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`
}
