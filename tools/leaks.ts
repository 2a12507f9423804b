/**
 * Loaded before each test file (`--import`). A timer, a socket or a child process that a test leaves behind keeps
 * the file's process from ending, until `tools/test.ts` loses patience; scopes and files are looked for here.
 */
import { readdirSync, readlinkSync } from "node:fs"
import { openScopes } from "../packages/base/src/open-scopes.ts"

const atStart = new Set(openFiles())

process.on("exit", () => {
  const left = [
    ...[...openScopes].map(({ name }) => `scope ${name}`),
    ...openFiles().filter((file) => !atStart.has(file)),
  ]
  if (left.length === 0) return
  process.stderr.write(`Left open after the last test: ${left.join(", ")}\n`)
  process.exitCode = 1
})

/** Paths of regular files that are open in this process, with their descriptors. */
function openFiles(): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`)
      return path.startsWith("/") && !/^\/(proc|dev)\//.test(path) ? [`file ${fd} ${path}`] : []
    } catch {
      return []
    }
  })
}
