import assert from "node:assert/strict"
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { it } from "node:test"
import { systemEnv } from "@knarr/testkit"
import { openEmbeddedStore } from "./embedded/embedded-store.ts"
import { DamagedSnapshotError, restoreSnapshot, saveSnapshot } from "./snapshot.ts"

const env = systemEnv()

it("a snapshot taken under load is the store at its revision, and damage is noticed", async () => {
  const dir = await mkdtemp(join(tmpdir(), "knarr-snapshot-"))
  try {
    const file = join(dir, "one.snapshot")
    await using store = await openEmbeddedStore({ dir: join(dir, "from"), env })
    let stop = false
    const writing = (async () => {
      for (let i = 0; !stop; i++) await store.put(`/${i % 50}`, Buffer.alloc(500, `${i} `))
    })()
    while (store.revision < 60) await store.put("/more", Buffer.from("more"))
    const saved = await saveSnapshot(store, file)
    stop = true
    await writing
    assert.ok(saved.revision >= 60 && saved.revision <= store.revision)
    assert.deepEqual((await readdir(dir)).sort(), ["from", "one.snapshot"])

    assert.deepEqual(await restoreSnapshot(file, join(dir, "to")), saved)
    await using restored = await openEmbeddedStore({ dir: join(dir, "to"), env })
    assert.equal(restored.revision, saved.revision)
    const expected = await store.range({ prefix: "", revision: saved.revision })
    assert.deepEqual((await restored.range({ prefix: "" })).kvs, expected.kvs)
    await restored.put("/after", Buffer.from("x"))

    await assert.rejects(restoreSnapshot(file, join(dir, "to")), /there is a store already/)
    const bytes = await readFile(file)
    const damaged = join(dir, "damaged")
    for (const change of [
      bytes.subarray(0, bytes.length - 1),
      bytes.subarray(0, 20),
      bytes.with(40_000, bytes[40_000]! ^ 1),
      bytes.with(bytes.length - 36, 7),
    ]) {
      await writeFile(damaged, change)
      await assert.rejects(restoreSnapshot(damaged, join(dir, "bad")), DamagedSnapshotError)
      assert.deepEqual(await readdir(join(dir, "bad")), [])
    }
  } finally {
    await rm(dir, { recursive: true })
  }
})
