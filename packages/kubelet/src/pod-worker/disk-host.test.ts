import assert from "node:assert/strict"
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  existsSync,
} from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { systemClock } from "@knarr/base"
import { createDiskHost } from "./disk-host.ts"

const skip = process.getuid?.() === 0 ? false : "mounts and cgroups need root"

test("sub-paths are bound, and never lead out of the volume", { skip }, async () => {
  const dir = mkdtempSync("/tmp/knarr-subpath-")
  const host = createDiskHost({ clock: systemClock })
  const volume = join(dir, "volume")
  const target = (name: string): string => join(dir, "bound", name)
  try {
    mkdirSync(join(volume, "a"), { recursive: true })
    chmodSync(volume, 0o770)
    mkdirSync(join(dir, "secret"))
    writeFileSync(join(dir, "secret", "key"), "secret")
    writeFileSync(join(volume, "a", "file"), "text")
    symlinkSync("a", join(volume, "inside"))
    symlinkSync("../secret", join(volume, "outside"))
    symlinkSync("/etc", join(volume, "absolute"))

    await host.bindSubPath(volume, "a", target("0"))
    assert.equal(readFileSync(join(target("0"), "file"), "utf8"), "text")
    await host.bindSubPath(volume, "a/file", target("1"))
    assert.equal(readFileSync(target("1"), "utf8"), "text")
    await host.bindSubPath(volume, "inside", target("2"))
    assert.equal(readFileSync(join(target("2"), "file"), "utf8"), "text")
    await host.bindSubPath(volume, "new/deep", target("3"))
    writeFileSync(join(target("3"), "x"), "y")
    assert.equal(readFileSync(join(volume, "new/deep/x"), "utf8"), "y")
    assert.equal(statSync(join(volume, "new")).mode & 0o777, 0o770)
    for (const path of ["outside", "outside/key", "absolute/passwd", "../secret", "outside/made"])
      await assert.rejects(host.bindSubPath(volume, path, target("4")), {
        message: /not within volume path|must not contain/,
      })
    assert.ok(!existsSync(join(dir, "secret", "made")))

    await assert.rejects(host.remove(join(dir, "bound")), { message: /is mounted/ })
    await host.unbindUnder(join(dir, "bound"))
    await host.unbindUnder(join(dir, "bound"))
    await host.remove(join(dir, "bound"))
    assert.equal(readFileSync(join(volume, "a/file"), "utf8"), "text")
  } finally {
    await host.unbindUnder(join(dir, "bound"))
    rmSync(dir, { recursive: true, force: true })
  }
})

test("cgroups of pods are set, listed and removed", { skip }, async () => {
  const host = createDiskHost({ clock: systemClock })
  const root = `/knarr-unit-${process.pid}`
  try {
    await host.setCgroup(`${root}/kubepods/burstable`, {})
    await host.setCgroup(`${root}/kubepods/burstable/podx`, {
      cpuShares: 256,
      cpuQuota: 50_000,
      memoryLimit: 64 * 1024 * 1024,
    })
    assert.deepEqual(await host.listCgroups(`${root}/kubepods/burstable`), ["podx"])
    const v1 = existsSync("/sys/fs/cgroup/cpu/cpu.shares")
    const path = `${root}/kubepods/burstable/podx`
    if (v1) {
      assert.equal(readFileSync(`/sys/fs/cgroup/cpu${path}/cpu.shares`, "utf8"), "256\n")
      assert.equal(readFileSync(`/sys/fs/cgroup/memory${path}/memory.limit_in_bytes`, "utf8"), "67108864\n")
    } else assert.equal(readFileSync(`/sys/fs/cgroup${path}/cpu.max`, "utf8"), "50000 100000\n")
  } finally {
    await host.removeCgroup(root)
    await host.removeCgroup(root)
  }
  assert.deepEqual(await host.listCgroups(root), [])
})
