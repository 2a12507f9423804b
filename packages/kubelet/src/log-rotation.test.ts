import assert from "node:assert/strict"
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it } from "node:test"
import { gunzipSync } from "node:zlib"
import { virtualEnv } from "@knarr/testkit"
import { rotateLog } from "./log-rotation.ts"
import { isRuntimeNotFound } from "./runtime/container-runtime.ts"
import { SimulatedHost } from "./runtime/simulated-host.ts"
import { createSimulatedRuntime } from "./runtime/simulated-runtime.ts"

const never = new AbortController().signal

describe("log rotation", () => {
  it("keeps the newest files, of which the last stays readable", async () => {
    const dir = mkdtempSync(join(tmpdir(), "knarr-logs-"))
    try {
      const env = virtualEnv()
      const { clock } = env
      const path = join(dir, "0.log")
      const runtime = createSimulatedRuntime(new SimulatedHost({ env, podCIDR: "10.1.0.0/24" }))
      await runtime.pullImage({ image: { image: "img" } }, { signal: never })
      const metadata = { name: "p", namespace: "default", uid: "u" }
      const { podSandboxId } = await runtime.runPodSandbox({ config: { metadata } }, { signal: never })
      const config = { metadata: { name: "app" }, image: { image: "img" } }
      const { containerId } = await runtime.createContainer({ podSandboxId, config }, { signal: never })
      await runtime.startContainer({ containerId }, { signal: never })
      for (let i = 0; i < 6; i++) {
        writeFileSync(path, `text ${i}`)
        await rotateLog(containerId, path, { env, runtime, maxFiles: 4 }, never)
        // Simulated containers print nothing.
        assert.equal(existsSync(path), false)
        writeFileSync(path, "")
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
      const env = virtualEnv()
      const path = join(dir, "0.log")
      writeFileSync(path, "text")
      const runtime = createSimulatedRuntime(new SimulatedHost({ env, podCIDR: "10.1.0.0/24" }))
      await assert.rejects(rotateLog("unknown", path, { env, runtime }, never), isRuntimeNotFound)
      assert.deepEqual(readdirSync(dir), ["0.log"])
    } finally {
      rmSync(dir, { recursive: true })
    }
  })
})
