import assert from "node:assert/strict"
import { appendFileSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { VirtualClock, silentLogger } from "@knarr/base"
import { createSteps, errorOf, readProgress } from "./start-progress.ts"

test("a start tells its steps, and of what the one before it failed", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "knarr-progress-"))
  t.after(() => rmSync(dir, { recursive: true }))
  const file = join(dir, "server.progress")
  const clock = new VirtualClock()
  const begin = () => createSteps(clock, silentLogger, file)
  const { pid } = process
  assert.equal(readProgress(file), undefined)
  const first = begin()
  assert.deepEqual(readProgress(file), { pid, told: [] })
  first.done("store open")
  first.failed(new Error("no room"))
  const failed = readProgress(file)
  assert.deepEqual(failed, { pid, told: [{ step: "store open", ms: 0 }, { error: "no room" }] })
  assert.equal(errorOf(failed), "no room")

  const second = begin()
  assert.deepEqual(readProgress(file), { pid, lastError: "no room", told: [] })
  assert.equal(errorOf(readProgress(file)), "no room")
  second.ready()
  appendFileSync(file, '{"step":"half a li')
  assert.deepEqual(readProgress(file), { pid, lastError: "no room", told: [{ ready: true }] })
  // The disk was full, and has room again.
  second.done("more")
  assert.deepEqual(readProgress(file)!.told, [{ ready: true }, { step: "more", ms: 0 }])
})
