/**
 * Runs the tests: `node tools/test.ts [unit|integration|e2e …] [--match RE]`, all suites by default. Ends with
 * a line `N passed, N failed`; exits 1 when a test failed or none ran.
 */
import { globSync } from "node:fs"
import { cpus } from "node:os"
import { join } from "node:path"
import { run } from "node:test"
import { spec } from "node:test/reporters"
import { parseArgs } from "node:util"

const root = join(import.meta.dirname, "..")
const suites: Readonly<Record<string, { readonly files: readonly string[]; readonly concurrency: number }>> =
  {
    unit: {
      files: ["packages/*/src/**/*.test.ts", "tools/**/*.test.ts", "examples/**/*.test.ts"],
      concurrency: cpus().length,
    },
    integration: { files: ["test/integration/**/*.test.ts"], concurrency: cpus().length },
    // Clusters on the real machine: one at a time.
    e2e: { files: ["test/e2e/**/*.test.ts"], concurrency: 1 },
  }

const { values, positionals } = parseArgs({ allowPositionals: true, options: { match: { type: "string" } } })
const unknown = positionals.filter((name) => !(name in suites))
if (unknown.length > 0)
  throw new Error(`Cannot run "${unknown[0]}": the suites are ${Object.keys(suites).join(", ")}`)
const wanted = positionals.length > 0 ? positionals : Object.keys(suites)
const match = new RegExp(values.match ?? "")

/**
 * Each file runs in a process of its own, and most of what such a process does first is to compile the same modules:
 * they share what they compiled, also with the next run. A file that changed is compiled anew.
 */
process.env["NODE_COMPILE_CACHE"] ??= join(root, "node_modules/.cache/compiled")

/** A file that takes longer has left something open that keeps its process from ending. */
const fileLimitMs = 10 * 60_000

let passed = 0
let failed = 0
let skipped = 0
const failures: string[] = []
for (const name of wanted) {
  const { files, concurrency } = suites[name]!
  const found = files
    .flatMap((pattern) => globSync(pattern, { cwd: root }))
    .map((file) => join(root, file))
    .filter((file) => match.test(file))
    .sort()
  if (found.length === 0) continue
  process.stdout.write(`\n${name}: ${found.length} files\n`)
  const stream = run({
    files: found,
    concurrency,
    cwd: root,
    timeout: fileLimitMs,
    execArgv: ["--disable-warning=ExperimentalWarning", "--import", join(root, "tools/leaks.ts")],
  })
  stream.on("test:pass", (event) => {
    // Suites and files count through the tests in them.
    if (event.details.type === "suite" || isFile(event.name)) return
    if (event.skip) skipped++
    else passed++
  })
  stream.on("test:fail", (event) => {
    if (event.details.type === "suite" || isSuiteFailure(event)) return
    failed++
    failures.push(`${event.file ?? ""}: ${event.name}`)
  })
  const ended = new Promise<void>((resolve) => stream.on("end", () => resolve()))
  stream.compose(spec).pipe(process.stdout, { end: false })
  await ended
}
for (const failure of failures) process.stdout.write(`failed: ${failure}\n`)
if (skipped > 0) process.stdout.write(`${skipped} skipped: what this machine lacks is said above\n`)
process.stdout.write(`\n${passed} passed, ${failed} failed\n`)
process.exit(failed > 0 || passed === 0 ? 1 : 0)

function isFile(name: string): boolean {
  return name.endsWith(".test.ts")
}

/** A suite fails with its tests, which were counted. */
function isSuiteFailure(event: { readonly details: { readonly error?: Error } }): boolean {
  return (event.details.error as { failureType?: string } | undefined)?.failureType === "subtestsFailed"
}
