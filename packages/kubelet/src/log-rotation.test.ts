import assert from "node:assert/strict"
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it } from "node:test"
import { gunzipSync } from "node:zlib"
import { VirtualClock, seededRandom, silentLogger, type Env } from "@knarr/base"
import { rotateLog } from "./log-rotation.ts"
import type { ContainerRuntime } from "./runtime/container-runtime.ts"

const never = new AbortController().signal

describe("log rotation", () => {
  it("keeps the newest files, of which the last stays readable", async () => {
    const dir = mkdtempSync(join(tmpdir(), "knarr-logs-"))
    try {
      const clock = new VirtualClock()
      const env: Env = { clock, random: seededRandom(1), log: silentLogger }
      const path = join(dir, "0.log")
      const runtime = {
        reopenContainerLog: async () => writeFileSync(path, ""),
      } as unknown as ContainerRuntime
      for (let i = 0; i < 6; i++) {
        writeFileSync(path, `text ${i}`)
        await rotateLog("id", path, { env, runtime, maxFiles: 4 }, never)
        await clock.advance(1000)
      }
      const names = readdirSync(dir).sort()
      assert.equal(names.length, 4)
      assert.deepEqual(
        names.map((name) => name.endsWith(".gz")),
        [false, true, true, false],
      )
      assert.equal(statSync(path).size, 0)
      assert.equal(readFileSync(join(dir, names[3]!), "utf8"), "text 5")
      assert.equal(gunzipSync(readFileSync(join(dir, names[1]!))).toString(), "text 3")
    } finally {
      rmSync(dir, { recursive: true })
    }
  })

  it("leaves the log as it was when the runtime does not follow", async () => {
    const dir = mkdtempSync(join(tmpdir(), "knarr-logs-"))
    try {
      const env: Env = { clock: new VirtualClock(), random: seededRandom(1), log: silentLogger }
      const path = join(dir, "0.log")
      writeFileSync(path, "text")
      const reopenContainerLog = () => Promise.reject(new Error("no"))
      const runtime = { reopenContainerLog } as unknown as ContainerRuntime
      await assert.rejects(rotateLog("id", path, { env, runtime }, never), /no/)
      assert.deepEqual(readdirSync(dir), ["0.log"])
    } finally {
      rmSync(dir, { recursive: true })
    }
  })
})
