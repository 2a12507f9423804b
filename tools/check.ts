/** The static part of the gate: format, lint, layers, what modules take from each other, what documents name, generated files, types. Runs them side by side. */
import { spawn } from "node:child_process"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")
const bin = (name: string): string => join(root, "node_modules/.bin", name)
const checks: readonly { readonly name: string; readonly command: readonly string[] }[] = [
  { name: "format", command: [bin("oxfmt"), "--check"] },
  {
    name: "lint",
    command: [bin("oxlint"), "--type-aware", "packages", "tools", "test", "bench", "examples"],
  },
  { name: "layers", command: [process.execPath, "tools/check-layers.ts"] },
  {
    name: "circles, exports and dependencies",
    command: [process.execPath, "tools/check-modules.ts"],
  },
  { name: "documents", command: [process.execPath, "tools/check-docs.ts"] },
  { name: "generated files", command: [process.execPath, "tools/gen/main.ts", "--verify"] },
  { name: "types", command: [bin("tsc"), "-p", "."] },
]

const results = await Promise.all(checks.map(runCheck))
for (const { name, code, output } of results) {
  process.stdout.write(`${code === 0 ? "ok  " : "FAIL"}  ${name}\n`)
  if (code !== 0) process.stdout.write(`${output}\n`)
}
process.exitCode = results.some(({ code }) => code !== 0) ? 1 : 0

function runCheck({
  name,
  command,
}: (typeof checks)[number]): Promise<{ name: string; code: number; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(command[0]!, command.slice(1), { cwd: root, stdio: ["ignore", "pipe", "pipe"] })
    let output = ""
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (output += chunk.toString("utf8")))
    child.on("error", (error) => resolve({ name, code: 1, output: error.message }))
    child.on("close", (code) => resolve({ name, code: code ?? 1, output }))
  })
}
