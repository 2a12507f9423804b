import assert from "node:assert/strict"
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { openEmbeddedStore, StoreGoneError } from "@knarr/store"
import { systemEnv } from "@knarr/testkit"
import { ClusterHome, defaultRanges } from "../cluster-home.ts"
import { snapshotRestore, snapshotSave } from "./snapshot.command.ts"
import { status } from "./status.command.ts"

test("a damaged store is replaced by a snapshot when that is asked for, and kept aside", async (t) => {
  const home = mkdtempSync(join(tmpdir(), "knarr-restore-"))
  t.after(() => rmSync(home, { recursive: true }))
  const env = systemEnv()
  let told = ""
  const print = (text: string): void => void (told += text)
  const ctx = { ...env, signal: new AbortController().signal, environment: {}, print, warn: print }
  const cluster = new ClusterHome(home, "a")
  const ports = { port: 6443, registryPort: 5000 }
  cluster.write({ name: "a", index: 0, agents: 0, hasNode: false, ...ports, ...defaultRanges(0) })
  const call = { flags: { home, name: "a" }, positionals: [join(home, "state.db")] }
  const replacing = { ...call, flags: { ...call.flags, replace: true } }
  const valueOfA = async (): Promise<string | undefined> => {
    await using store = await openEmbeddedStore({ dir: cluster.store, env, mustExist: true })
    return (await store.get("/a"))?.value.toString()
  }

  await assert.rejects(async () => snapshotSave.run(call, ctx), StoreGoneError)
  {
    await using store = await openEmbeddedStore({ dir: cluster.store, env })
    await store.put("/a", Buffer.from("saved"))
  }
  await snapshotSave.run(call, ctx)
  await assert.rejects(async () => snapshotRestore.run(call, ctx), /has a store already: with --replace/)
  writeFileSync(join(cluster.store, "data.mdb"), "damaged")
  await assert.rejects(
    valueOfA,
    /the file is damaged\. Restore a snapshot \("knarr snapshot restore --replace"\)/,
  )

  writeFileSync(join(home, "bad.db"), "no snapshot")
  const bad = { ...replacing, positionals: [join(home, "bad.db")] }
  await assert.rejects(async () => snapshotRestore.run(bad, ctx), /Cannot read the snapshot/)
  assert.deepEqual(readdirSync(cluster.dir).sort(), ["cluster.json", "logs", "store"])

  await snapshotRestore.run(replacing, ctx)
  const [, aside] = /^The store that was there is in (.*)$/m.exec(told) ?? []
  assert.ok(readdirSync(aside!).includes("data.mdb"))
  assert.deepEqual(readdirSync(cluster.dir).sort(), [
    "cluster.json",
    "logs",
    "store",
    aside!.slice(cluster.dir.length + 1),
  ])
  assert.equal(await valueOfA(), "saved")

  rmSync(cluster.store, { recursive: true })
  await snapshotRestore.run(call, ctx)
  assert.equal(await valueOfA(), "saved")

  writeFileSync(cluster.progressFile("server"), '{"pid":1}\n{"error":"the file is damaged"}\n')
  told = ""
  assert.equal(await status.run({ flags: call.flags, positionals: [] }, ctx), 1)
  assert.match(told, /^cluster a: stopped\n.*\n +its last start failed: the file is damaged\n$/)
})
