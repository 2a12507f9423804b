/**
 * The modules of this repository as the gate sees them: what each file exports and what it takes from which other
 * file, types too. Reads the text as oxfmt leaves it: a statement begins at the start of its line.
 */
import { existsSync, globSync, readFileSync } from "node:fs"
import { join, relative } from "node:path"

export const root: string = join(import.meta.dirname, "..")

/** Something one module takes from another. */
export interface Import {
  /** As it is written: `./x.ts`, `@knarr/base`, `node:fs`. */
  readonly specifier: string
  /** The file of this repository that it means; undefined for other packages. */
  readonly target: string | undefined
  /** Names as the target exports them; `*` is all of them. */
  readonly names: readonly string[]
  /** `export … from`: what is taken is only handed on. */
  readonly handedOn: boolean
  /** `import("…")`: loaded when it is needed. */
  readonly onDemand: boolean
}

export interface Export {
  readonly name: string
  /** An interface or a type alias. */
  readonly isType: boolean
}

export interface Module {
  /** From the repository's root: `packages/base/src/clock.ts`. */
  readonly file: string
  readonly text: string
  readonly imports: readonly Import[]
  /** What is declared here and exported. */
  readonly exports: readonly Export[]
}

/** Every module of the repository, by its file. */
export function readModules(): ReadonlyMap<string, Module> {
  const files = globSync(["packages/*/src/**/*.ts", "{tools,test,bench,examples}/**/*.ts"], { cwd: root })
  return new Map(files.sort().map((file) => [file, readModule(file)]))
}

/** Whether the file is a test's, or what tests share. */
export function isForTests(file: string): boolean {
  return (
    file.startsWith("test/") ||
    file.startsWith("packages/testkit/") ||
    /(\.(test|conformance|scenario|crash)|-fixture|\/(crash|scripted)-[a-z]+|\/testing)\.ts$/.test(file)
  )
}

function readModule(file: string): Module {
  const text = readFileSync(join(root, file), "utf8")
  return { file, text, imports: [...importsIn(file, text)], exports: exportsIn(text) }
}

function* importsIn(file: string, text: string): Generator<Import> {
  const statements = text.matchAll(/^(import|export)\s(?:(type\s)?([^"'`;=()]*?)\sfrom\s+)?"([^"]+)"/gm)
  for (const [, word, , clause, specifier] of statements)
    yield {
      specifier: specifier!,
      target: targetOf(file, specifier!),
      names: clause === undefined ? [] : namesIn(clause),
      handedOn: word === "export",
      onDemand: false,
    }
  for (const [, specifier] of text.matchAll(/(?<!@link )\bimport\(\s*"([^"]+)"\s*\)/g))
    yield {
      specifier: specifier!,
      target: targetOf(file, specifier!),
      names: ["*"],
      handedOn: false,
      onDemand: true,
    }
}

/** `{ a, type B as C }`, `* as all` and `*`, as the names that the other module exports. */
function namesIn(clause: string): string[] {
  const list = /\{([^}]*)\}/.exec(clause)?.[1]
  if (list === undefined) return clause.includes("*") ? ["*"] : ["default"]
  return list.split(",").flatMap((one) => /^\s*(?:type\s+)?(\w+)/.exec(one)?.[1] ?? [])
}

function exportsIn(text: string): Export[] {
  const declared = text.matchAll(
    /^export\s(?:declare\s)?(?:abstract\s|async\s)?(function\*?|const|let|class|interface|type)\s(\w+)/gm,
  )
  const named = [...text.matchAll(/^export\s\{([^}]*)\}(?!\s*from)/gm)].flatMap(([, list]) =>
    list!.split(",").flatMap((one) => /(\w+)\s*$/.exec(one)?.[1] ?? []),
  )
  return [
    ...[...declared].map(([, word, name]) => ({
      name: name!,
      isType: word === "interface" || word === "type",
    })),
    ...named.map((name) => ({ name, isType: false })),
  ]
}

function targetOf(file: string, specifier: string): string | undefined {
  if (specifier.startsWith(".")) return relative(root, join(root, file, "..", specifier))
  const [name, entry = "index"] = specifier.replace(/^@knarr\//, "").split("/")
  if (packageOf(specifier) !== "knarr" && !specifier.startsWith("@knarr/")) return undefined
  const target = `packages/${name}/src/${entry}.ts`
  return existsSync(join(root, target)) ? target : undefined
}

/** The package that a specifier names: `@knarr/base`, `ws`. */
export function packageOf(specifier: string): string {
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/")
}
