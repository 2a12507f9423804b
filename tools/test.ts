/**
 * Runs the tests: `node tools/test.ts [unit|integration|e2e …] [--match RE] [--quick [--all]]`, all suites by default.
 * `--quick` leaves out the files that take long (test-processes.ts) and says so, `--all` takes that back. Ends with a line
 * `N passed, N failed` (and `, N skipped`); exits 1 when a test failed or none ran, and with KNARR_NO_SKIPS=1 when one was
 * skipped.
 */
import { cpus } from "node:os"
import { join } from "node:path"
import { run } from "node:test"
import { spec } from "node:test/reporters"
import { parseArgs } from "node:util"
import { findTests, long, processesFor } from "./test-processes.ts"

const root = join(import.meta.dirname, "..")
/** The suites, and whether each runs in as many processes at a time as there are processors. */
const suites = {
  unit: {
    patterns: ["packages/*/src/**/*.test.ts", "tools/**/*.test.ts", "examples/**/*.test.ts"],
    parallel: true,
  },
  integration: { patterns: ["test/integration/**/*.test.ts"], parallel: true },
  // Clusters on the real machine: one at a time.
  e2e: { patterns: ["test/e2e/**/*.test.ts"], parallel: false },
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { match: { type: "string" }, quick: { type: "boolean" }, all: { type: "boolean" } },
})
const unknown = positionals.filter((name) => !(name in suites))
if (unknown.length > 0)
  throw new Error(`Cannot run "${unknown[0]}": the suites are ${Object.keys(suites).join(", ")}`)
const wanted = Object.entries(suites).filter(
  ([name]) => positionals.length === 0 || positionals.includes(name),
)
const match = new RegExp(values.match ?? "")
const isQuick = values.quick === true && values.all !== true

/** What a test's process does first is to compile the same modules: they share what they compiled, also with the next run. */
process.env["NODE_COMPILE_CACHE"] ??= join(root, "node_modules/.cache/compiled")

/** A process that takes longer has something open that keeps it from ending. */
const processLimitMs = 10 * 60_000

let passed = 0
let failed = 0
let skipped = 0
const failures: string[] = []
const leftOut: string[] = []
// What runs in parallel is one queue, the longest first.
const queues = [wanted.filter(([, { parallel }]) => parallel), wanted.filter(([, { parallel }]) => !parallel)]
for (const queue of queues) {
  const found = queue
    .flatMap(([, { patterns }]) => findTests(root, patterns))
    .filter((file) => match.test(file))
  const files = isQuick ? found.filter((file) => !long.includes(file)) : found
  leftOut.push(...found.filter((file) => !files.includes(file)))
  if (files.length === 0) continue
  const parallel = queue.some(([, suite]) => suite.parallel)
  process.stdout.write(`\n${queue.map(([name]) => name).join(" and ")}: ${files.length} files\n`)
  const stream = run({
    files: parallel ? processesFor(root, files) : files.map((file) => join(root, file)),
    concurrency: parallel ? cpus().length : 1,
    cwd: root,
    timeout: processLimitMs,
    execArgv: [
      "--disable-warning=ExperimentalWarning",
      ...["tools/uncaught.ts", "tools/leaks.ts"].flatMap((file) => ["--import", join(root, file)]),
    ],
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
if (leftOut.length > 0)
  process.stdout.write(
    `left out, ${leftOut.length} files that take long (npm run ok -- --all and npm test run them):\n  ${leftOut.join("\n  ")}\n`,
  )
const unwanted = process.env["KNARR_NO_SKIPS"] === "1" && skipped > 0
if (skipped > 0)
  process.stdout.write(
    `${skipped} skipped: what this machine lacks is said above${unwanted ? ", and nothing may be" : ""}\n`,
  )
process.stdout.write(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}\n`)
process.exit(failed > 0 || passed === 0 || unwanted ? 1 : 0)

function isFile(name: string): boolean {
  return /\.test\.(ts|mjs)$/.test(name)
}

/** A suite fails with its tests, which were counted. */
function isSuiteFailure(event: { readonly details: { readonly error?: Error } }): boolean {
  return (event.details.error as { failureType?: string } | undefined)?.failureType === "subtestsFailed"
}
