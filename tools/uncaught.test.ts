/** An error that no test catches must fail its file, whatever of node:test is not loaded: in a process of its own, which it ends. */
import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"

test("an error that no test catches ends its process with its stack, also while the test waits", () => {
  const dir = mkdtempSync(join(tmpdir(), "knarr-uncaught-"))
  const cases: [body: string, expected: RegExp][] = [
    [
      'setImmediate(() => { throw new Error("thrown") })',
      /uncaughtException\): Error: thrown\n +at .*x\.test\.mjs/,
    ],
    [
      'void Promise.reject(new Error("refused"))',
      /unhandledRejection\): Error: refused\n +at .*x\.test\.mjs/,
    ],
  ]
  try {
    for (const [body, expected] of cases) {
      const file = join(dir, "x.test.mjs")
      writeFileSync(
        file,
        `import { test } from "node:test"\ntest("x", () => { ${body}; return new Promise((resolve) => setTimeout(resolve, 60_000)) })\n`,
      )
      const { status, stderr } = spawnSync(
        process.execPath,
        ["--import", join(import.meta.dirname, "uncaught.ts"), file],
        { encoding: "utf8" },
      )
      assert.equal(status, 1, stderr)
      assert.match(stderr, expected)
    }
  } finally {
    rmSync(dir, { recursive: true })
  }
})
