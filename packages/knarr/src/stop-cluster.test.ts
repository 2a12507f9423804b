import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { unmountVolumes } from "./stop-cluster.ts"

test(
  "pods' volumes are unmounted, and not the disks on which the cluster's folder and its store are",
  { skip: process.getuid?.() !== 0 && "mounting a tmpfs needs root" },
  async (t) => {
    const dir = realpathSync(mkdtempSync(join(tmpdir(), "knarr-volumes-")))
    const mounted = (): string[] =>
      readFileSync("/proc/self/mountinfo", "utf8")
        .split("\n")
        .map((line) => line.split(" ")[4] ?? "")
        .filter((path) => path.startsWith(dir))
        .map((path) => path.slice(dir.length))
    t.after(() => {
      for (const path of mounted().reverse()) spawnSync("umount", [`${dir}${path}`])
      rmSync(dir, { recursive: true })
    })
    for (const path of ["", "/store", "/nodes/a/pods/volume"]) {
      mkdirSync(`${dir}${path}`, { recursive: true })
      assert.equal(spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", `${dir}${path}`]).status, 0)
    }
    await unmountVolumes(dir, new AbortController().signal)
    assert.deepEqual(mounted(), ["", "/store"])
  },
)
