/** Which test files share a process: none is forgotten, none runs twice. */
import assert from "node:assert/strict"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { test } from "node:test"
import { findTests, long, processesFor } from "./test-processes.ts"

test("what the quick gate leaves out is there", () => {
  for (const file of long) assert.ok(existsSync(join(import.meta.dirname, "..", file)), file)
})

test("every file runs in one process, a few of a package in each, and what takes long alone and first", () => {
  const root = mkdtempSync(join(tmpdir(), "knarr-tests-"))
  try {
    const write = (file: string, text: string): void => {
      mkdirSync(dirname(join(root, file)), { recursive: true })
      writeFileSync(join(root, file), text)
    }
    const many = Array.from({ length: 20 }, (_, i) => `packages/a/src/${String(i).padStart(2, "0")}.test.ts`)
    const planes = Array.from({ length: 5 }, (_, i) => `test/integration/${i}.test.ts`)
    const own = "packages/a/src/own.test.ts"
    for (const file of [...many, ...planes, long[1]!, "packages/b/src/one.test.ts"]) write(file, "")
    write(own, "beforeEach(() => {})\n")
    const files = findTests(root, ["packages/*/src/**/*.test.ts", "test/**/*.test.ts", "tools/**/*.test.ts"])
    const processes = processesFor(root, files).map((path) =>
      path.endsWith(".mjs")
        ? [...readFileSync(path, "utf8").matchAll(/^import "(.*)"$/gm)].map(([, file]) => file!)
        : [path],
    )
    assert.deepEqual(
      processes.map((members) => members.map((path) => path.slice(root.length + 1))),
      [
        [long[1]],
        planes.slice(0, 3),
        planes.slice(3),
        many.slice(0, 10),
        many.slice(10),
        ["packages/b/src/one.test.ts"],
        [own],
      ],
    )
  } finally {
    rmSync(root, { recursive: true })
  }
})
