/**
 * Renews what packages/cel takes from Kubernetes' own CEL: `node tools/cel/facts.ts`. Needs Go.
 *
 * Writes packages/cel/src/check/declarations.gen.ts (the functions of the environment) and under
 * packages/cel/testdata cel-spec's vectors and the recorded answers to testdata/cases.json.
 */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"

const here = import.meta.dirname
const target = join(here, "../../packages/cel")
const folder = mkdtempSync(join(tmpdir(), "cel-facts-"))
const program = join(folder, "facts")
const go = {
  cwd: here,
  env: { ...process.env, CGO_ENABLED: "0", GOFLAGS: "-mod=mod -buildvcs=false -trimpath" },
  maxBuffer: 1 << 28,
}

interface Declarations {
  functions: { name: string; overloads: { id: string; member?: boolean; args: string[]; result: string }[] }[]
}

try {
  execFileSync("go", ["build", "-o", program, "."], { ...go, stdio: "inherit" })
  const run = (args: string[], input?: string): string =>
    execFileSync(program, args, {
      maxBuffer: 1 << 28,
      encoding: "utf8",
      ...(input !== undefined && { input }),
    })
  const specification = execFileSync("go", ["list", "-m", "-f", "{{.Dir}}", "cel.dev/expr"], {
    ...go,
    encoding: "utf8",
  }).trim()
  const { functions } = JSON.parse(run(["declarations"])) as Declarations
  const lines = functions.map(({ name, overloads }) => {
    const forms = overloads.map(({ id, member, args, result }) =>
      JSON.stringify([(member === true ? "." : "") + id, args.join(", "), result]),
    )
    return `  ${JSON.stringify(name)}: [${forms.join(", ")}],`
  })
  writeFileSync(
    join(target, "src/check/declarations.gen.ts"),
    `/** The functions of Kubernetes 1.37's CEL environment. Written by tools/cel/facts.ts. */\n\n` +
      `/** Overloads by function: id (a leading dot: called on its first argument), types of the arguments, type of the result. */\n` +
      `export const declarations: Readonly<Record<string, readonly (readonly [id: string, args: string, result: string])[]>> = {\n${lines.join("\n")}\n}\n`,
  )
  writeFileSync(
    join(target, "testdata/vectors.json.gz"),
    gzipSync(run(["vectors", join(specification, "tests/simple/testdata")]), { level: 9 }),
  )
  const cases = readFileSync(join(target, "testdata/cases.json"), "utf8")
  writeFileSync(join(target, "testdata/golden.json.gz"), gzipSync(run(["golden"], cases), { level: 9 }))
} finally {
  rmSync(folder, { recursive: true })
}
