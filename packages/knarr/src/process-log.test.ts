import assert from "node:assert/strict"
import { closeSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { openProcessLog } from "./process-log.ts"

test("a log never outgrows three files, and whoever else writes to it goes on in the same one", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "knarr-process-log-"))
  t.after(() => rmSync(dir, { recursive: true }))
  const file = join(dir, "server.log")
  const [fd, other] = [openSync(file, "a"), openSync(file, "a")]
  const write = openProcessLog(fd, 100)
  for (let i = 10; i < 60; i++) write(`line ${i}\n`)
  writeSync(other, "other\n")
  write("last\n")
  closeSync(fd)
  closeSync(other)
  assert.deepEqual(readdirSync(dir).sort(), ["server.log", "server.log.1", "server.log.2"])
  const texts = ["server.log.2", "server.log.1", "server.log"].map((name) =>
    readFileSync(join(dir, name), "utf8"),
  )
  for (const text of texts) assert.ok(text.length <= 100)
  const kept = texts.join("").split("\n").slice(0, -1)
  assert.deepEqual(kept.slice(-3), ["line 59", "other", "last"])
  assert.deepEqual(
    kept.slice(0, -2),
    Array.from({ length: kept.length - 2 }, (_, i) => `line ${62 - kept.length + i}`),
  )
})

test("a log that does not append to a file is left whole", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "knarr-process-log-"))
  t.after(() => rmSync(dir, { recursive: true }))
  const file = join(dir, "out")
  const fd = openSync(file, "w")
  const write = openProcessLog(fd, 10)
  for (let i = 0; i < 5; i++) write(`line ${i}\n`)
  closeSync(fd)
  assert.deepEqual(readdirSync(dir), ["out"])
  assert.equal(readFileSync(file, "utf8").length, 35)
})
