import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { savingTo, snapshotTarget } from "./snapshot-target.ts"

test("a snapshot goes to a regular file or a new one, behind links, and to nothing else", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "knarr-target-"))
  t.after(() => rmSync(dir, { recursive: true }))
  const at = (name: string): string => join(dir, name)
  mkdirSync(at("folder"))
  writeFileSync(at("old"), "")
  assert.equal(spawnSync("mkfifo", [at("pipe")]).status, 0)
  const links = { link: "old", further: "link", ahead: "folder/new", round: "round", dead: "none/new" }
  for (const [name, to] of Object.entries(links)) symlinkSync(to, at(name))
  const good = { old: "old", new: "new", link: "old", further: "old", ahead: "folder/new" }
  for (const [name, target] of Object.entries(good)) assert.equal(snapshotTarget(at(name)), at(target), name)
  const bad = {
    [at("folder")]: "it is a folder, not a regular file",
    [at("pipe")]: "it is a named pipe, not a regular file",
    "/dev/full": "it is a device, not a regular file",
    [at("round")]: "its links lead nowhere",
    [at("none/new")]: `there is no folder "${at("none")}"`,
    [at("dead")]: `there is no folder "${at("none")}"`,
    [at("old/new")]: "what should be its folder is none",
  }
  for (const [file, why] of Object.entries(bad))
    assert.throws(() => snapshotTarget(file), { message: `Cannot save a snapshot to "${file}": ${why}` })
  const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" })
  await assert.rejects(
    savingTo("f", () => Promise.reject(full)),
    { message: 'Cannot save a snapshot to "f": no space is left on its disk' },
  )
})
