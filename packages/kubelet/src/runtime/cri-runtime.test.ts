import assert from "node:assert/strict"
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, rmdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { silentLogger, systemClock, systemRandom } from "@knarr/base"
import { defaultRunDir, ensureContainerd, importImage } from "./containerd.ts"
import { findBinary } from "./containerd-host.ts"
import { stopContainerd } from "./containerd-stop.ts"
import { createCriRuntime } from "./cri-runtime.ts"
import { createImageTar, hostArchitecture } from "./oci-image.ts"
import { pauseImage } from "./pause-image.ts"
import { runtimeConformance } from "./runtime.conformance.ts"

const env = { clock: systemClock, random: systemRandom, log: silentLogger }

function has(program: string): boolean {
  try {
    findBinary(program)
    return true
  } catch {
    return false
  }
}

const missing = ["containerd", "ctr", "runc", "busybox"].filter((program) => !has(program))
const skip =
  process.getuid?.() !== 0
    ? "containers need root"
    : missing.length > 0
      ? `not installed: ${missing.join(", ")}`
      : false

/** A containerd of the test's own, with a network that needs no bridge. */
async function startContainerd() {
  const dir = mkdtempSync("/tmp/knarr-cri-")
  const cniConfDir = join(dir, "cni")
  mkdirSync(cniConfDir)
  const network = {
    cniVersion: "0.4.0",
    name: "test",
    plugins: [
      {
        type: "ptp",
        ipam: { type: "host-local", dataDir: join(dir, "ipam"), ranges: [[{ subnet: "10.253.77.0/24" }]] },
      },
    ],
  }
  writeFileSync(join(cniConfDir, "10-test.conflist"), JSON.stringify(network))
  const signal = AbortSignal.timeout(120_000)
  const options = { dir, env, cniBinDir: "/usr/lib/cni", cniConfDir }
  const containerd = await ensureContainerd(options, signal)
  const busybox = { path: "bin/busybox", mode: 0o755, data: readFileSync(findBinary("busybox")) }
  const links = ["sh", "sleep", "echo", "grep", "cat"].map((name) => ({
    path: `bin/${name}`,
    mode: 0o777,
    link: "busybox",
  }))
  for (const name of ["test.invalid/shell:1", "test.invalid/spare:1"]) {
    const files = name.includes("spare") ? [busybox] : [busybox, ...links]
    const tar = createImageTar({
      name,
      architecture: hostArchitecture(),
      files,
      config: { Env: ["PATH=/bin"] },
    })
    await importImage(containerd.socket, tar, { signal })
    const { image } = await pollUntil(
      () => containerd.runtime.imageStatus({ image: { image: name } }, { signal }),
      (answer) => answer.image !== undefined,
    )
    assert.ok(image)
  }
  return {
    containerd,
    options,
    signal,
    async dispose() {
      await containerd.close()
      await stopContainerd({ dir, env }, AbortSignal.timeout(60_000))
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

async function pollUntil<T>(ask: () => Promise<T>, done: (value: T) => boolean): Promise<T> {
  const signal = AbortSignal.timeout(20_000)
  for (;;) {
    const value = await ask()
    if (done(value)) return value
    await systemClock.sleep(10, signal)
  }
}

runtimeConformance("containerd through the CRI", {
  skip,
  async create() {
    const { containerd, dispose } = await startContainerd()
    const cgroupParent = `/knarr-test-${process.pid}`
    return {
      cgroupParent,
      image: "test.invalid/shell:1",
      spareImage: "test.invalid/spare:1",
      connect: () => createCriRuntime({ socket: containerd.socket, env }),
      async dispose() {
        await dispose()
        removeCgroup(cgroupParent)
      },
    }
  },
})

/** Removes an empty cgroup from every hierarchy, version 1 or 2. */
function removeCgroup(path: string): void {
  const root = "/sys/fs/cgroup"
  for (const hierarchy of ["", ...readdirSync(root)]) {
    try {
      rmdirSync(join(root, hierarchy, path))
    } catch {
      // It is not in this hierarchy.
    }
  }
}

test(
  "containerd and its containers outlive us, a crash of the daemon and a new configuration",
  { skip, timeout: 120_000 },
  async () => {
    const { containerd, options, signal, dispose } = await startContainerd()
    try {
      const call = { signal }
      const sandboxConfig = {
        metadata: { name: "p", namespace: "d", uid: "u" },
        logDirectory: join(options.dir, "logs"),
      }
      const { podSandboxId } = await containerd.runtime.runPodSandbox({ config: sandboxConfig }, call)
      const config = {
        metadata: { name: "c" },
        image: { image: "test.invalid/shell:1" },
        command: ["/bin/sh", "-c", "echo hello; sleep 1000"],
        logPath: "c/0.log",
      }
      mkdirSync(join(options.dir, "logs/c"), { recursive: true })
      const { containerId } = await containerd.runtime.createContainer(
        { podSandboxId, config, sandboxConfig },
        call,
      )
      await containerd.runtime.startContainer({ containerId }, call)
      const log = await pollUntil(
        async () => readFileSync(join(options.dir, "logs/c/0.log"), "utf8"),
        (text) => text.endsWith("\n"),
      )
      assert.match(log, /^\d{4}-\d\d-\d\dT\S+ stdout F hello\n$/)

      const again = await ensureContainerd(options, signal)
      assert.equal(again.adopted, true)
      assert.equal(again.pid, containerd.pid)

      const stop = new AbortController()
      const supervising = assert.rejects(again.run(stop.signal), { name: "AbortError" })
      const events = again.runtime.events(stop.signal)[Symbol.asyncIterator]()
      assert.equal((await events.next()).value.type, "resync")
      const before = again.pid
      process.kill(before, "SIGKILL")
      assert.equal((await events.next()).value.type, "resync")
      assert.notEqual(again.pid, before)
      const after = await again.runtime.containerStatus({ containerId }, call)
      assert.equal(after.status!.state, "CONTAINER_RUNNING")
      stop.abort()
      await supervising
      await again.close()

      const changed = await ensureContainerd({ ...options, cniBinDir: "/opt/cni/bin" }, signal)
      assert.equal(changed.adopted, false)
      const { containers } = await changed.runtime.listContainers({ filter: { id: containerId } }, call)
      assert.equal(containers[0]!.state, "CONTAINER_RUNNING")
      const paused = await changed.runtime.imageStatus({ image: { image: pauseImage } }, call)
      assert.ok(paused.image)
      await changed.close()
      await ensureContainerd(options, signal).then((last) => last.close())
    } finally {
      await dispose()
    }
    assert.throws(() => readdirSync(defaultRunDir(options.dir)), { code: "ENOENT" })
    assert.ok(!readFileSync("/proc/self/mountinfo", "utf8").includes(options.dir))
  },
)
