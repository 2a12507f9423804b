import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { ClusterHome, writeAtomically } from "./cluster-home.ts"

const isRoot = process.getuid?.() === 0

test(
  "a removal that a read-only disk refuses says so, removes nothing, and can be done again",
  { skip: !isRoot && "mounting a tmpfs needs root" },
  (t) => {
    const home = mkdtempSync(join(tmpdir(), "knarr-home-"))
    const mount = (...args: string[]): void => assert.equal(spawnSync("mount", [...args, home]).status, 0)
    mount("-t", "tmpfs", "-o", "size=4m", "tmpfs")
    t.after(() => {
      spawnSync("umount", [home])
      rmSync(home, { recursive: true })
    })
    const cluster = new ClusterHome(home, "a")
    for (const name of ["images", "store"]) mkdirSync(join(cluster.dir, name), { recursive: true })
    for (const name of ["cluster.json", "images/blob", "store/data.mdb"])
      writeFileSync(join(cluster.dir, name), "{}")
    mount("-o", "remount,ro")
    assert.throws(() => cluster.remove(), {
      message: `Cannot remove "${cluster.dir}": its disk is read-only; nothing runs, and "knarr delete" goes on`,
    })
    assert.deepEqual(readdirSync(cluster.dir).sort(), ["cluster.json", "images", "store"])
    mount("-o", "remount,rw")
    cluster.remove()
    assert.ok(!existsSync(cluster.dir))
  },
)

test("a file that could not be written leaves nothing beside it", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "knarr-home-"))
  t.after(() => rmSync(dir, { recursive: true }))
  mkdirSync(join(dir, "taken", "in"), { recursive: true })
  assert.throws(() => writeAtomically(join(dir, "taken"), "x"), /EISDIR/)
  assert.deepEqual(readdirSync(dir), ["taken"])
})
