import assert from "node:assert/strict"
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { storeDataFile } from "@knarr/store"
import { virtualEnv } from "@knarr/testkit"
import { watchStoreFile } from "./store-file.ts"

test("a store's file that is gone is seen, and one that was written anew is not taken for gone", async () => {
  const { clock } = virtualEnv()
  const dir = mkdtempSync(join(tmpdir(), "knarr-store-"))
  const file = storeDataFile(dir)
  try {
    writeFileSync(file, "")
    let seen: unknown
    const watching = watchStoreFile(dir, clock, new AbortController().signal).catch((thrown: unknown) => {
      seen = thrown
    })
    await clock.advance(10_000)
    writeFileSync(`${file}.copy`, "")
    renameSync(`${file}.copy`, file)
    await clock.advance(10_000)
    assert.equal(seen, undefined)
    rmSync(file)
    while (seen === undefined) await clock.advance(1000)
    await watching
    assert.equal(
      (seen as Error).message,
      `the store's file "${file}" was removed while the server ran: it stops`,
    )
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})
