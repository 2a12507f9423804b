import assert from "node:assert/strict"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { holdFile, nameProcess, runningPid } from "./pid-file.ts"

test("a file names a process as long as that one runs", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "knarr-pid-file-"))
  t.after(() => rmSync(dir, { recursive: true }))
  const file = join(dir, "a")
  const held = holdFile(file, "it is held")
  assert.equal(runningPid(file), process.pid)
  assert.throws(() => holdFile(file, "it is held"), {
    name: "UsageError",
    message: `it is held (process ${process.pid})`,
  })
  held[Symbol.dispose]()
  assert.equal(existsSync(file), false)
  assert.equal(runningPid(file), undefined)

  const dead: readonly (readonly [string, string])[] = [
    ["nothing yet", ""],
    ["no start time", `${process.pid}\n`],
    ["another one with the same number", `${process.pid} 1\n`],
    ["a number that none has", "4194305 77\n"],
    ["no number", "x y\n"],
  ]
  for (const [what, text] of dead) {
    writeFileSync(file, text)
    assert.equal(runningPid(file), undefined, what)
    using _held = holdFile(file, what)
    assert.equal(runningPid(file), process.pid, what)
  }
})

test("a process holds a file that somebody has written for it while it started, and nobody takes it from one that runs", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "knarr-pid-file-"))
  t.after(() => rmSync(dir, { recursive: true }))
  const file = join(dir, "a")
  assert.equal(nameProcess(file, process.pid), process.pid)
  using _held = holdFile(file, "it is held")
  assert.throws(() => holdFile(file, "it is held"), { message: `it is held (process ${process.pid})` })
  assert.equal(nameProcess(file, process.ppid), process.pid)
  assert.equal(runningPid(file), process.pid)

  const other = join(dir, "b")
  nameProcess(other, process.ppid)
  assert.throws(() => holdFile(other, "it runs"), { message: `it runs (process ${process.ppid})` })
})
