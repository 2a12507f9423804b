import assert from "node:assert/strict"
import { randomBytes } from "node:crypto"
import { it } from "node:test"
import { gunzipSync } from "node:zlib"
import { DocumentCache } from "./openapi-cache.ts"

it("makes a document once, also for those who ask at the same time", async () => {
  const cache = new DocumentCache()
  let made = 0
  const make = (): Buffer => {
    made++
    return Buffer.from("text")
  }
  const [a, b] = await Promise.all([cache.get("k", make), cache.get("k", make)])
  assert.equal(a, b)
  assert.equal(gunzipSync(a.packed).toString(), "text")
  assert.equal(await cache.hash("k", make), a.hash)
  assert.equal(made, 1)
})

it("keeps 4 MiB, and the hashes of all", async () => {
  const cache = new DocumentCache()
  const made: string[] = []
  const make = (key: string) => (): Buffer => {
    made.push(key)
    return randomBytes(1.5 * 1024 * 1024)
  }
  const { hash } = await cache.get("a", make("a"))
  for (const key of ["b", "a", "c", "a"]) await cache.get(key, make(key))
  assert.deepEqual(made, ["a", "b", "c"])
  await cache.get("b", make("b"))
  assert.deepEqual(made, ["a", "b", "c", "b"], "the one that was used longest ago is made again")
  assert.equal(await cache.hash("a", make("a")), hash)
})

it("tries again after a failure", async () => {
  const cache = new DocumentCache()
  await assert.rejects(
    cache.get("k", () => {
      throw new Error("no")
    }),
    /^Error: no$/,
  )
  assert.equal(gunzipSync((await cache.get("k", () => Buffer.from("yes"))).packed).toString(), "yes")
})
