import assert from "node:assert/strict"
import { mkdtemp, readdir, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { it } from "node:test"
import { Meter, deferred, silentLogger, systemClock, systemRandom } from "@knarr/base"
import { isDue } from "./defragmentation.ts"
import { type EmbeddedStore, openEmbeddedStore } from "./embedded-store.ts"

const MiB = 2 ** 20

async function withStore(
  test: (store: EmbeddedStore, dir: string, smaller: Promise<unknown>) => Promise<void>,
): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "knarr-store-"))
  const smaller = deferred<unknown>()
  const log = {
    ...silentLogger,
    info: (message: string, fields?: unknown) => {
      if (message === "The file of the store was made smaller") smaller.resolve(fields)
    },
  }
  try {
    await using store = await openEmbeddedStore({
      dir,
      env: { clock: systemClock, random: systemRandom, log, meter: new Meter() },
    })
    await test(store, dir, smaller.promise)
  } finally {
    await rm(dir, { recursive: true })
  }
}

for (const [used, free, due] of [
  [40, 31, false],
  [40, 32, true],
  [100, 49, false],
  [100, 50, true],
  [1000, 400, false],
] as const) {
  it(`a file of ${used} MiB of which ${free} are free is ${due ? "" : "not "}made smaller`, () =>
    assert.equal(isDue({ used: used * MiB, free: free * MiB }), due))
}

it("a file that is mostly free becomes small while it is read, written and watched", () =>
  withStore(async (store, dir, smaller) => {
    const stop = new AbortController()
    const seen: number[] = []
    const watching = (async () => {
      for await (const batch of store.watch({ prefix: "", from: 2, signal: stop.signal }))
        seen.push(...batch.map((event) => event.revision))
    })()
    for (let i = 0; i < 48; i++) await store.put("/large", Buffer.alloc(MiB, i))
    await Promise.all(Array.from({ length: 3000 }, (_, i) => store.put(`/small/${i}`, Buffer.from(`${i}`))))
    const before = await store.size()
    await store.compact(store.revision)
    let done = false
    void smaller.then(() => (done = true))
    let written = 0
    const reads: Promise<{ count: number }>[] = []
    while (!done) {
      await store.put(`/meanwhile/${written % 7}`, Buffer.from(`${written++}`))
      if (reads.length < 50) reads.push(store.range({ prefix: "/small/" }))
    }
    assert.ok((await store.size()) < before / 2)
    for (const { count } of await Promise.all(reads)) assert.equal(count, 3000)
    assert.deepEqual((await store.get("/large"))!.value, Buffer.alloc(MiB, 47))
    const latest = await store.range({ prefix: "/meanwhile/" })
    assert.ok(latest.kvs.some(({ value }) => value.toString() === `${written - 1}`))
    const { revision } = await store.put("/last", Buffer.from("1"))
    while (seen.at(-1) !== revision) await store.get("/last")
    stop.abort()
    await assert.rejects(watching)
    assert.deepEqual(
      seen,
      Array.from({ length: revision - 1 }, (_, i) => i + 2),
    )
    assert.deepEqual(
      (await readdir(dir)).filter((name) => name.includes("copy")),
      [],
    )
  }))

it("a store that is too busy stays as it is", () =>
  withStore(async (store, dir) => {
    await Promise.all(Array.from({ length: 8000 }, (_, i) => store.put(`/small/${i}`, Buffer.from(`${i}`))))
    const copying = store.defragment()
    await Promise.all(Array.from({ length: 40 }, (_, i) => store.put(`/large/${i}`, Buffer.alloc(MiB))))
    assert.equal(await copying, false)
    assert.equal((await store.range({ prefix: "/" })).count, 8040)
    assert.deepEqual(
      (await readdir(dir)).filter((name) => name.includes("copy")),
      [],
    )
    assert.equal(await store.defragment(), true)
    assert.equal((await store.range({ prefix: "/" })).count, 8040)
  }))
