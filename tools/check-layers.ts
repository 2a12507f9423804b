/**
 * Fails on an import that points up or sideways between packages (tools/layers.json), on one of a package
 * that package.json does not declare (for tests alone its `devDependencies` do), and on the real clock or chance outside `base`. TypeScript and Node
 * both let these pass.
 */
import { globSync, readFileSync } from "node:fs"
import { join, relative } from "node:path"

const root = join(import.meta.dirname, "..")
const layers = JSON.parse(readFileSync(join(root, "tools/layers.json"), "utf8")) as Record<string, number>
const problems: string[] = []
let files = 0

for (const [name, level] of Object.entries(layers)) {
  const dir = join(root, "packages", name)
  const manifest = JSON.parse(readFileSync(join(dir, "package.json"), "utf8")) as {
    dependencies?: Record<string, string>
    devDependencies?: Record<string, string>
  }
  const declared = new Set(Object.keys(manifest.dependencies ?? {}))
  const declaredForTests = new Set(Object.keys(manifest.devDependencies ?? {}))
  for (const file of globSync("src/**/*.ts", { cwd: dir })) {
    files++
    const path = join(dir, file)
    const where = relative(root, path)
    const text = readFileSync(path, "utf8")
    const isTest = file.endsWith(".test.ts") || file.endsWith("fixture.ts")
    for (const specifier of specifiersIn(text)) {
      if (specifier.startsWith("node:")) continue
      if (specifier.startsWith(".")) {
        const target = relative(dir, join(path, "..", specifier))
        // Generated tables are data: tests below may read them.
        if (target.startsWith("..") && !(isTest && target.endsWith(".gen.ts"))) {
          problems.push(`${where}: "${specifier}" leaves the package; import it by the package's name`)
        }
        continue
      }
      const parts = specifier.split("/")
      const dependency = specifier.startsWith("@") ? `${parts[0]}/${parts[1]}` : parts[0]!
      const ours = dependency === "knarr" ? "knarr" : /^@knarr\/(.+)$/.exec(dependency)?.[1]
      if (!declared.has(dependency) && !(isTest && declaredForTests.has(dependency)))
        problems.push(`${where}: "${dependency}" is not in the package's dependencies`)
      if (ours === undefined) continue
      if (specifier !== dependency)
        problems.push(`${where}: "${specifier}" reaches inside ${dependency}; import its index`)
      if (!(ours in layers)) problems.push(`${where}: "${dependency}" is not in tools/layers.json`)
      // Tests of every layer share it; `devDependencies` say who does.
      else if (layers[ours]! >= level && !(isTest && ours === "testkit")) {
        problems.push(
          `${where}: ${name} (level ${level}) may not import ${ours} (level ${layers[ours]}): arrows only point down`,
        )
      }
    }
    if (name === "base" || file.endsWith(".test.ts")) continue
    for (const [use] of text.matchAll(
      /\b(?:Date\.now|new Date\(\)|Math\.random|process\.hrtime|crypto\.randomUUID)\b/g,
    )) {
      problems.push(`${where}: "${use}" reaches for the real world; take clock and random from an Env`)
    }
  }
}

/** What a module imports, statically and on demand. */
function specifiersIn(text: string): string[] {
  const statements = text.matchAll(/^(?:import|export)\s(?:[^"'`;]*?\sfrom\s+)?"([^"]+)"/gm)
  const calls = text.matchAll(/\bimport\(\s*"([^"]+)"\s*\)/g)
  return [...statements, ...calls].map(([, specifier]) => specifier!)
}

if (problems.length > 0) {
  process.stderr.write(problems.join("\n") + "\n")
  process.exitCode = 1
} else process.stdout.write(`${files} files in ${Object.keys(layers).length} layered packages\n`)
