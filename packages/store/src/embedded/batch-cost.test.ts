import assert from "node:assert/strict"
import { mkdtemp, rm, stat } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { it } from "node:test"
import { VirtualClock, randomInt, seededRandom, silentLogger, Meter } from "@knarr/base"
import { openEmbeddedStore } from "./embedded-store.ts"

it("no commit takes more room than was made for it, whatever it does", async () => {
  const dir = await mkdtemp(join(tmpdir(), "knarr-store-"))
  const warnings: string[] = []
  const log = { ...silentLogger, warn: (message: string) => void warnings.push(message) }
  const random = seededRandom(7)
  const clock = new VirtualClock()
  const below = (n: number): number => randomInt(random, n)
  const sizes = [10, 300, 3000, 8000, 8150, 16_000, 17_000, 400_000]
  try {
    await using store = await openEmbeddedStore({ dir, env: { clock, random, log, meter: new Meter() } })
    for (let round = 0; round < 60; round++) {
      const lease = round % 7 === 0 ? await store.grantLease(100) : 0
      const many = [1, 5, 400][below(3)]!
      const writes = Array.from({ length: many }, async () => {
        const key = `/${below(30)}/${"k".repeat(below(20) === 0 ? 1500 : 20)}/${below(100)}`
        if (below(3) === 0) return store.delete(key)
        const size = many > 5 && below(50) > 0 ? sizes[below(4)]! : sizes[below(sizes.length)]!
        return store.put(key, Buffer.alloc(size, 1), lease === 0 ? {} : { lease })
      })
      await Promise.all(writes)
      if (round % 5 === 4) await store.compact(store.revision - below(50))
      if (round % 20 === 19) await clock.advance(200_000)
    }
    await store.compact(store.revision)
    assert.ok((await stat(join(dir, "data.mdb"))).size > 16 * 2 ** 20)
  } finally {
    await rm(dir, { recursive: true })
  }
  assert.deepEqual(warnings, [])
})
