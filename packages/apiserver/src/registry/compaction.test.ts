import assert from "node:assert/strict"
import { test } from "node:test"
import { Scope } from "@knarr/base"
import { virtualEnv } from "@knarr/testkit"
import { createMemoryStore } from "@knarr/store"
import { runCompaction } from "./compaction.ts"

test("history is kept for one to two intervals", async () => {
  await using scope = new Scope("test")
  const env = virtualEnv()
  const { clock } = env
  const store = scope.use(createMemoryStore({ env }))
  const write = async (): Promise<number> => {
    const result = await store.put("/a", Buffer.from("x"))
    return result.revision
  }
  const told: number[] = []
  scope.run("compaction", (signal) =>
    runCompaction({ store, env, intervalMs: 1000, compacted: (at) => void told.push(at) }, signal),
  )
  const first = await write()
  await clock.advance(1500)
  const second = await write()
  assert.equal(store.compactRevision, 1)
  await clock.advance(1000)
  assert.equal(store.compactRevision, first)
  await clock.advance(1000)
  assert.equal(store.compactRevision, second)
  await clock.advance(10_000)
  assert.equal(store.compactRevision, second)
  assert.deepEqual(told, [1, first, second])
})
