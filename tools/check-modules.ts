/**
 * Fails on files that import each other in a circle, types too, which the linter does not see; on an export that
 * nobody takes; and on a dependency that a package declares and does not import.
 */
import { globSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { entryOf } from "@knarr/base"
import { isForTests, packageOf, readModules, root } from "./modules.ts"

/** What those import who embed a control plane, test against one or write an extension: it needs no other user here. */
const entryPoints: Readonly<Record<string, readonly string[]>> = {
  "packages/knarr/src/index.ts": ["*"],
  "packages/knarr/src/testing.ts": ["*"],
  // What the package has for those who write operators.
  "packages/knarr/src/base.ts": ["*"],
  "packages/knarr/src/apimachinery.ts": ["*"],
  "packages/knarr/src/api.ts": ["*"],
  "packages/knarr/src/client.ts": ["*"],
  "packages/knarr/src/controller-kit.ts": ["*"],
  // Scheduler plugins: what they answer, and how a profile names them.
  "packages/scheduler/src/framework/plugin.ts": ["*"],
  "packages/scheduler/src/framework/status.ts": ["*"],
  // Servers that share a store, and copies of it.
  "packages/client/src/leader-election.ts": ["runWhileLeader"],
  "packages/store/src/snapshot.ts": ["saveSnapshot", "restoreSnapshot"],
  // What a node that joins asks a certificate with.
  "packages/base/src/x509.ts": ["createCertificateRequest"],
  // What rules of custom resources, policies and match conditions are evaluated with.
  "packages/cel/src/environment.ts": ["*"],
  "packages/cel/src/check/declarations.ts": ["overload"],
  "packages/cel/src/check/types.ts": ["*"],
  "packages/cel/src/libraries/authorizer.ts": ["*"],
  "packages/cel/src/libraries/jsonpatch.ts": ["jsonPatchFunctions"],
  "packages/cel/src/schema/built-in.ts": ["celSchemaOf"],
  "packages/cel/src/schema/decl-type.ts": ["declTypeOf"],
  "packages/cel/src/schema/sizes.ts": ["sizesOf"],
  // A volume plugin that stages, for tests and to read.
  "packages/kubelet/src/volumes/memory-disk.volume.ts": ["createMemoryDisk"],
  // The size of huge pages is known; the node refuses them until it counts them.
  "packages/volume/src/plugins/empty-dir.volume.ts": ["hugePageSize"],
}

const modules = readModules()
const problems = [...circles(), ...deadExports(), ...unusedDependencies()]
if (problems.length > 0) {
  process.stderr.write(problems.join("\n") + "\n")
  process.exitCode = 1
}

/** One circle of each knot of files, as `a → b → a`. What is imported on demand counts too. */
function* circles(): Generator<string> {
  const done = new Set<string>()
  for (const start of modules.keys()) {
    if (done.has(start)) continue
    const circle = circleThrough(start)
    if (!circle) continue
    for (const file of circle) done.add(file)
    yield `imports go in a circle: ${[...circle, start].join(" → ")}`
  }
}

/** The shortest way along imports from a file back to it. */
function circleThrough(start: string): string[] | undefined {
  const ways = new Map<string, readonly string[]>([[start, [start]]])
  for (const [file, way] of ways)
    for (const { target } of modules.get(file)?.imports ?? []) {
      if (target === start) return [...way]
      if (target !== undefined && !ways.has(target)) ways.set(target, [...way, target])
    }
  return undefined
}

/**
 * A value must be taken by another file, and by more than tests unless its own file needs it too: what only a test
 * needs is dead. A type may be named for those who get values of it.
 */
function* deadExports(): Generator<string> {
  const takers = takersOfExports()
  for (const { file, exports, text } of modules.values()) {
    if (file.endsWith(".gen.ts")) continue
    for (const { name, isType } of exports) {
      const by = takers.get(`${file}#${name}`)
      if (by?.has("product") || (by && (isForTests(file) || !file.startsWith("packages/")))) continue
      const usedHere =
        text
          .matchAll(new RegExp(`\\b${name}\\b`, "g"))
          .take(2)
          .toArray().length > 1
      if (usedHere && (isType || by)) continue
      if (!usedHere) yield `${file}: ${name} is exported and ${by ? "needed by tests alone" : "not needed"}`
      else yield `${file}: ${name} is exported and needed only here`
    }
  }
}

type Taker = "product" | "tests"

/** Who takes each `file#name`, through whatever hands it on. */
function takersOfExports(): ReadonlyMap<string, ReadonlySet<Taker>> {
  const takers = new Map<string, Set<Taker>>()
  const seen = new Set<string>()
  const take = (file: string, name: string, taker: Taker): void => {
    const module = modules.get(file)
    if (!module || seen.has(`${file}#${name}#${taker}`)) return
    seen.add(`${file}#${name}#${taker}`)
    for (const own of module.exports)
      if (name === "*" || own.name === name)
        entryOf(takers, `${file}#${own.name}`, () => new Set()).add(taker)
    for (const { target, names, handedOn } of module.imports) {
      if (!handedOn || target === undefined) continue
      if (name === "*") for (const one of names) take(target, one, taker)
      else if (names.includes(name) || names.includes("*")) take(target, name, taker)
    }
  }
  for (const [file, names] of Object.entries(entryPoints))
    for (const name of names) take(file, name, "product")
  for (const { file, imports } of modules.values())
    for (const { target, names, handedOn } of imports)
      if (target !== undefined && !handedOn)
        for (const name of names)
          take(target, name, isForTests(file) && !(file in entryPoints) ? "tests" : "product")
  return takers
}

/** Dependencies of the program that no file of it imports, and of tests that no test does. */
function* unusedDependencies(): Generator<string> {
  const imported = new Map<string, Set<string>>()
  for (const { file, imports } of modules.values())
    for (const { specifier } of imports)
      if (!specifier.startsWith(".") && !specifier.startsWith("node:"))
        entryOf(
          imported,
          file.split("/", 2).join("/") + (file.endsWith(".test.ts") ? " in tests" : ""),
          () => new Set(),
        ).add(packageOf(specifier))
  for (const manifest of globSync("packages/*/package.json", { cwd: root })) {
    const dir = dirname(manifest)
    const { dependencies = {}, devDependencies = {} } = JSON.parse(
      readFileSync(join(root, manifest), "utf8"),
    ) as Readonly<Record<string, Readonly<Record<string, string>>>>
    for (const name of Object.keys(dependencies))
      if (!imported.get(dir)?.has(name)) yield `${manifest}: nothing imports the dependency "${name}"`
    for (const name of Object.keys(devDependencies))
      if (!imported.get(`${dir} in tests`)?.has(name))
        yield `${manifest}: no test imports the dependency "${name}"`
  }
}
