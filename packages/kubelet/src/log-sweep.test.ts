import assert from "node:assert/strict"
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { sweepLogsOnce } from "./log-sweep.ts"

test("Links that lead nowhere and logs of pods that are gone are swept, and nothing else", async () => {
  const dir = mkdtempSync(join(tmpdir(), "knarr-sweep-"))
  const [podLogsDir, containerLogsDir] = [join(dir, "pods"), join(dir, "containers")]
  try {
    await sweepLogsOnce({ podLogsDir, containerLogsDir, isKnown: () => true })
    for (const pod of ["ns_lives_u1", "ns_gone_u2", "notes"]) {
      mkdirSync(join(podLogsDir, pod, "app"), { recursive: true })
      writeFileSync(join(podLogsDir, pod, "app", "0.log"), "")
    }
    writeFileSync(join(podLogsDir, "a_file_u3"), "")
    mkdirSync(containerLogsDir)
    symlinkSync(join(podLogsDir, "ns_lives_u1/app/0.log"), join(containerLogsDir, "lives"))
    symlinkSync(join(podLogsDir, "ns_gone_u2/app/0.log"), join(containerLogsDir, "gone"))
    symlinkSync(join(podLogsDir, "ns_lives_u1/app/1.log"), join(containerLogsDir, "older"))
    writeFileSync(join(containerLogsDir, "file"), "")
    await sweepLogsOnce({ podLogsDir, containerLogsDir, isKnown: (uid) => uid === "u1" })
    assert.deepEqual(readdirSync(podLogsDir).sort(), ["a_file_u3", "notes", "ns_lives_u1"])
    assert.deepEqual(readdirSync(containerLogsDir).sort(), ["file", "lives"])
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})
