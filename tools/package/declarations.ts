/**
 * The declarations of the package's modules: those that TypeScript makes of all sources, of which what the modules
 * lead to is kept. Imports between our packages become paths.
 */
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { root } from "../bundle-options.ts"

/**
 * Writes below `target` what the sources `files` and all that they name declare. Throws when they name a package that
 * whoever installs ours does not get.
 */
export function writeDeclarations(target: string, files: readonly string[]): void {
  const cache = join(root, "node_modules/.cache")
  mkdirSync(cache, { recursive: true })
  const made = mkdtempSync(join(cache, "declarations-"))
  try {
    compile(made, files)
    const wanted = files.map((file) => declarationOf(file.slice("packages/".length)))
    const seen = new Set(wanted)
    for (const file of seen) {
      // What is imported for what it does declares nothing.
      const text = readFileSync(join(made, file), "utf8").replaceAll(/^import "[^"]+";\n/gm, "")
      const moved = text.replaceAll(
        /(\bfrom |\bimport\()"([^"]+)"/g,
        (_all, before: string, specifier: string) => {
          const named = fileOf(file, specifier)
          if (named === undefined) return `${before}"${specifier}"`
          seen.add(named)
          const path = relative(dirname(file), named).replace(/\.d\.ts$/, ".js")
          return `${before}"${path.startsWith(".") ? path : `./${path}`}"`
        },
      )
      mkdirSync(dirname(join(target, file)), { recursive: true })
      writeFileSync(join(target, file), moved)
    }
  } finally {
    rmSync(made, { recursive: true, force: true })
  }
}

function compile(outDir: string, files: readonly string[]): void {
  const config = join(outDir, "tsconfig.json")
  const compilerOptions = {
    ...{ noEmit: false, declaration: true, emitDeclarationOnly: true, incremental: false },
    ...{ outDir, rootDir: join(root, "packages"), typeRoots: [join(root, "node_modules/@types")] },
    // What is found in node_modules is declared by its own package.
    paths: { "@knarr/*": [join(root, "packages/*/src/index.ts")] },
  }
  const sources = [...files, "packages/knarr/src/bin.ts"].map((file) => join(root, file))
  writeFileSync(
    config,
    JSON.stringify({
      extends: join(root, "tsconfig.json"),
      compilerOptions: { ...compilerOptions, tsBuildInfoFile: null },
      include: [],
      files: sources,
    }),
  )
  const { status, stdout } = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", config], {
    cwd: root,
    encoding: "utf8",
  })
  if (status !== 0) throw new Error(`Cannot make the declarations:\n${stdout}`)
}

const declarationOf = (source: string): string => source.replace(/\.ts$/, ".d.ts")

/** The declaration that an import means; undefined for another package's. */
function fileOf(from: string, specifier: string): string | undefined {
  if (specifier.startsWith(".")) return declarationOf(join(dirname(from), specifier))
  const ours = /^@knarr\/(.+)$/.exec(specifier)?.[1]
  if (ours !== undefined) return `${ours}/src/index.d.ts`
  if (specifier.startsWith("node:") || isDependency(specifier)) return undefined
  throw new Error(`${from}: the package's declarations would need those of "${specifier}"`)
}

/** Whether whoever installs the package has the types of another one, too. */
function isDependency(name: string): boolean {
  const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly dependencies: Readonly<Record<string, string>>
  }
  return name in dependencies || `@types/${name}` in dependencies
}
