import assert from "node:assert/strict"
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  existsSync,
} from "node:fs"
import { dirname, join } from "node:path"
import { test } from "node:test"
import { systemClock } from "@knarr/base"
import { createLinuxVolumeHost } from "@knarr/volume"
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

test(
  "a sub-path that is mounted already is bound anew when it is not the same any more",
  { skip },
  async (t) => {
    const dir = mkdtempSync("/tmp/knarr-subpath-")
    const host = createDiskHost({ clock: systemClock })
    const volume = join(dir, "volume")
    const target = join(dir, "bound", "0")
    const write = (path: string, text: string): void => {
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, text)
    }
    const payload = (colour: string): Promise<boolean> =>
      createLinuxVolumeHost({ clock: systemClock, canMount: false }).writePayload(
        volume,
        new Map([["colour", { data: Buffer.from(colour), mode: 0o644, user: undefined }]]),
        { fsGroup: undefined, readOnly: true, onRootMismatch: false },
      )
    const cases: {
      name: string
      path: string
      first: () => unknown
      then: () => unknown
      /** Below the target, and what it says before and after. */
      read: readonly [string, string, string]
      same?: boolean
    }[] = [
      {
        name: "nothing has changed",
        path: "a",
        first: () => write(join(volume, "a"), "1"),
        then: () => {},
        read: ["", "1", "1"],
        same: true,
      },
      {
        name: "a file was written in place",
        path: "a",
        first: () => write(join(volume, "a"), "1"),
        then: () => writeFileSync(join(volume, "a"), "2"),
        read: ["", "1", "2"],
        same: true,
      },
      {
        name: "a file was replaced",
        path: "a",
        first: () => write(join(volume, "a"), "1"),
        then() {
          write(join(volume, "b"), "2")
          renameSync(join(volume, "b"), join(volume, "a"))
        },
        read: ["", "1", "2"],
      },
      {
        name: "a folder was made anew",
        path: "d",
        first: () => write(join(volume, "d", "a"), "1"),
        then() {
          rmSync(join(volume, "d"), { recursive: true })
          write(join(volume, "d", "a"), "2")
        },
        read: ["a", "1", "2"],
      },
      {
        name: "a file has become a folder",
        path: "x",
        first: () => write(join(volume, "x"), "1"),
        then() {
          rmSync(join(volume, "x"))
          write(join(volume, "x", "a"), "2")
        },
        read: ["", "1", "2"],
      },
      {
        name: "a folder has become a file",
        path: "x",
        first: () => write(join(volume, "x", "a"), "1"),
        then() {
          rmSync(join(volume, "x"), { recursive: true })
          write(join(volume, "x"), "2")
        },
        read: ["", "1", "2"],
      },
      {
        name: "a volume that is made from an object was rewritten",
        path: "colour",
        first: () => payload("red"),
        then: () => payload("blue"),
        read: ["", "red", "blue"],
      },
      {
        name: "a link leads elsewhere now",
        path: "l",
        first() {
          write(join(volume, "a"), "1")
          write(join(volume, "b"), "2")
          symlinkSync("a", join(volume, "l"))
        },
        then() {
          rmSync(join(volume, "l"))
          symlinkSync("b", join(volume, "l"))
        },
        read: ["", "1", "2"],
      },
    ]
    const text = (below: string): string => {
      const path = join(target, below)
      return readFileSync(statSync(path).isDirectory() ? join(path, "a") : path, "utf8")
    }
    const mounts = (): string[] =>
      readFileSync("/proc/self/mountinfo", "utf8")
        .split("\n")
        .filter((line) => line.split(" ")[4] === target)
    for (const { name, path, first, then, read, same } of cases)
      await t.test(name, async () => {
        try {
          mkdirSync(volume, { recursive: true })
          await first()
          await host.bindSubPath(volume, path, target)
          const before = mounts()
          const [below, was, is] = read
          assert.equal(text(below), was)
          await then()
          await host.bindSubPath(volume, path, target)
          assert.equal(text(below), is)
          assert.equal(mounts().length, 1)
          if (same) assert.deepEqual(mounts(), before)
        } finally {
          await host.unbindUnder(join(dir, "bound"))
          rmSync(dir, { recursive: true, force: true })
        }
      })
  },
)

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
