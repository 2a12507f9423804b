/** What every engine must do, clause by clause of the contract in store.ts. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import {
  type ConformanceOptions,
  type StoreTest,
  bytes,
  keysOf,
  never,
  show,
  showEvent,
  take,
} from "./store-cases.conformance.ts"
import { watchConformance } from "./store-watch.conformance.ts"
import { CompactedError, FutureRevisionError } from "./store.ts"

/** Registers the suite for one engine. */
export function storeConformance(name: string, options: ConformanceOptions): void {
  const test: StoreTest = (title, fn, watchBuffer = 10_000) => {
    it(title, async () => {
      await using context = await options.open({ watchBuffer })
      await fn(
        Object.assign(Object.create(context) as typeof context, {
          s: context.store,
        }),
      )
    })
  }

  describe(`${name}: writes and reads`, () => {
    test("a new store is at revision 1 and empty", async ({ s }) => {
      assert.equal(s.revision, 1)
      assert.equal(s.compactRevision, 0)
      assert.equal(await s.get("/a"), undefined)
      assert.deepEqual(await s.range({ prefix: "" }), { kvs: [], count: 0, revision: 1 })
    })

    test("each write raises the revision by one and keeps the key's history straight", async ({ s }) => {
      const first = await s.put("/a", bytes("1"))
      assert.deepEqual(first, { ok: true, revision: 2, previous: undefined })
      const second = await s.put("/a", bytes("2"))
      assert.ok(second.ok)
      assert.equal(second.revision, 3)
      assert.equal(show(second.previous), "/a=1 c2 m2 v1 l0")
      assert.equal(show(await s.get("/a")), "/a=2 c2 m3 v2 l0")
      const gone = await s.delete("/a")
      assert.ok(gone.ok)
      assert.equal(gone.revision, 4)
      assert.equal(show(gone.previous), "/a=2 c2 m3 v2 l0")
      assert.equal(await s.get("/a"), undefined)
      const again = await s.put("/a", bytes("3"))
      assert.deepEqual(again, { ok: true, revision: 5, previous: undefined })
      assert.equal(show(await s.get("/a")), "/a=3 c5 m5 v1 l0")
      assert.equal(s.revision, 5)
    })

    test("the current revision is that of the last write that was answered", async ({ s }) => {
      assert.equal(await s.currentRevision(), 1)
      for (let i = 2; i < 10; i++) {
        const { revision } = await s.put("/a", bytes(String(i)))
        assert.equal(await s.currentRevision(new AbortController().signal), revision)
      }
    })

    test("deleting what is not there changes nothing", async ({ s }) => {
      await s.put("/a", bytes("1"))
      assert.deepEqual(await s.delete("/b"), { ok: true, revision: 2, previous: undefined })
      assert.deepEqual(await s.delete("/b", { expected: 0 }), { ok: true, revision: 2, previous: undefined })
      assert.deepEqual(await s.delete("/b", { expected: 2 }), { ok: false, revision: 2, current: undefined })
      assert.equal(s.revision, 2)
    })

    test("a write whose expectation fails writes nothing and says what is there", async ({ s }) => {
      await s.put("/a", bytes("1"), { expected: 0 })
      for (const expected of [0, 1, 3, 99]) {
        const refused = await s.put("/a", bytes("2"), { expected })
        assert.ok(!refused.ok)
        assert.equal(refused.revision, 2)
        assert.equal(show(refused.current), "/a=1 c2 m2 v1 l0")
        const kept = await s.delete("/a", { expected })
        assert.ok(!kept.ok)
        assert.equal(show(kept.current), "/a=1 c2 m2 v1 l0")
      }
      assert.equal((await s.put("/a", bytes("2"), { expected: 2 })).ok, true)
      assert.equal((await s.delete("/a", { expected: 3 })).ok, true)
      assert.deepEqual(await s.put("/a", bytes("3"), { expected: 3 }), {
        ok: false,
        revision: 4,
        current: undefined,
      })
      assert.equal(s.revision, 4)
    })

    test("the store keeps a copy of the bytes, whatever they are", async ({ s }) => {
      const value = Buffer.from([0, 255, 128, 10, 13])
      await s.put("/a", value)
      value.fill(7)
      assert.deepEqual([...(await s.get("/a"))!.value], [0, 255, 128, 10, 13])
      const part = new Uint8Array([9, 1, 2, 9]).subarray(1, 3)
      await s.put("/a", part)
      assert.deepEqual([...(await s.get("/a"))!.value], [1, 2])
      await s.put("/empty", new Uint8Array())
      assert.equal((await s.get("/empty"))!.value.length, 0)
      const large = Buffer.alloc(1_500_000, "large ")
      await s.put("/large", large)
      assert.ok((await s.get("/large"))!.value.equals(large))
      assert.ok((await s.range({ prefix: "/large" })).kvs[0]!.value.equals(large))
    })

    test("keys that cannot be are refused", async ({ s }) => {
      for (const key of ["", "\ud800", "k".repeat(2049), "ä".repeat(1025)]) {
        await assert.rejects(s.put(key, bytes("1")), /Cannot write/)
      }
      await s.put("k".repeat(2048), bytes("1"))
      assert.equal(s.revision, 2)
    })

    test("of concurrent creations and updates one wins each time", async ({ s }) => {
      const creations = await Promise.all(
        Array.from({ length: 50 }, (_, i) => s.put("/a", bytes(`${i}`), { expected: 0 })),
      )
      assert.equal(creations.filter((result) => result.ok).length, 1)
      for (const result of creations) assert.equal(result.ok || result.current?.modRevision === 2, true)
      let wins = 0
      await Promise.all(
        Array.from({ length: 8 }, async () => {
          for (let mine = 0; mine < 10;) {
            const now = (await s.get("/a"))!
            const next = bytes(`${Number(now.value.toString()) + 1}`)
            const result = await s.put("/a", next, { expected: now.modRevision })
            if (result.ok) mine++
            else assert.ok(result.current!.modRevision > now.modRevision)
            if (result.ok) wins++
          }
        }),
      )
      assert.equal(wins, 80)
      assert.equal(s.revision, 82)
      const start = creations.findIndex((result) => result.ok)
      assert.equal((await s.get("/a"))!.value.toString(), `${start + 80}`)
    })

    test("writes of one caller, not awaited in between, apply in order", async ({ s }) => {
      const results = await Promise.all([
        s.put("/a", bytes("1")),
        s.delete("/a"),
        s.put("/a", bytes("2"), { expected: 0 }),
        s.put("/a", bytes("3"), { expected: 4 }),
        s.delete("/a", { expected: 4 }),
      ])
      assert.deepEqual(
        results.map((result) => result.ok),
        [true, true, true, true, false],
      )
      assert.deepEqual(
        results.slice(0, 4).map((result) => result.revision),
        [2, 3, 4, 5],
      )
      assert.equal(show(await s.get("/a")), "/a=3 c4 m5 v2 l0")
    })

    test("a read begun after a write sees it", async ({ s }) => {
      for (let i = 0; i < 20; i++) {
        const result = await s.put("/a", bytes(`${i}`))
        assert.ok(s.revision >= result.revision)
        assert.equal((await s.get("/a"))!.modRevision, result.revision)
        assert.equal((await s.range({ prefix: "/a" })).revision, result.revision)
      }
    })
  })

  describe(`${name}: ranges`, () => {
    test("a prefix takes exactly its keys, in order of their bytes", async ({ s }) => {
      const keys = [
        "/registry/pods",
        "/registry/pods-x/a",
        "/registry/pods/",
        "/registry/pods/a",
        "/registry/pods/a/b",
        "/registry/pods/b",
        "/registry/pods/\u00e4",
        "/registry/pods/\uffff",
        "/registry/pods/\u{1f600}",
        "/registry/pods0",
        "/registry/podtemplates/a",
      ]
      for (const key of keys.toReversed()) await s.put(key, bytes(key))
      const pods = await s.range({ prefix: "/registry/pods/" })
      assert.deepEqual(keysOf(pods.kvs), keys.slice(2, 9))
      assert.equal(pods.count, 7)
      assert.deepEqual(keysOf((await s.range({ prefix: "/registry/pod" })).kvs), keys)
      assert.deepEqual(keysOf((await s.range({ prefix: "" })).kvs), keys)
      assert.deepEqual(keysOf((await s.range({ prefix: "/registry/podt" })).kvs), [keys[10]])
      assert.deepEqual((await s.range({ prefix: "/registry/q" })).kvs, [])
      for (const kv of pods.kvs) assert.equal(kv.value.toString(), kv.key)
      const byBytes = keys.map((key) => Buffer.from(key)).sort(Buffer.compare)
      assert.deepEqual(
        byBytes.map((key) => key.toString()),
        keys,
      )
    })

    test("limit and from page through a prefix; count is of all that match", async ({ s }) => {
      const names = Array.from({ length: 700 }, (_, i) => `/p/${String(i).padStart(4, "0")}`)
      await Promise.all(names.map((key) => s.put(key, bytes(key))))
      await s.put("/q", bytes("q"))
      const seen: string[] = []
      const { revision } = s
      for (let from = "/p/"; ;) {
        const page = await s.range({ prefix: "/p/", from, limit: 300, revision })
        assert.equal(page.count, 700 - seen.length)
        seen.push(...keysOf(page.kvs))
        if (page.kvs.length === page.count) break
        from = `${page.kvs.at(-1)!.key}\0`
      }
      assert.deepEqual(seen, names)
      assert.equal((await s.range({ prefix: "/p/", limit: 0 })).count, 700)
      assert.deepEqual(keysOf((await s.range({ prefix: "/p/", from: "/a", limit: 1 })).kvs), ["/p/0000"])
      assert.deepEqual(keysOf((await s.range({ prefix: "/p/", from: "/p/0699" })).kvs), ["/p/0699"])
      assert.equal((await s.range({ prefix: "/p/", from: "/q" })).count, 0)
      assert.equal((await s.range({ prefix: "/p/" })).kvs.length, 700)
    })

    test("the past can be read, deletions and re-creations included", async ({ s }) => {
      await s.put("/a", bytes("1")) // 2
      await s.put("/b", bytes("1")) // 3
      await s.put("/a", bytes("2")) // 4
      await s.delete("/b") // 5
      await s.put("/c", bytes("1")) // 6
      await s.put("/b", bytes("2")) // 7
      await s.delete("/a") // 8
      const states: Record<number, string[]> = {
        1: [],
        2: ["/a=1 c2 m2 v1 l0"],
        3: ["/a=1 c2 m2 v1 l0", "/b=1 c3 m3 v1 l0"],
        4: ["/a=2 c2 m4 v2 l0", "/b=1 c3 m3 v1 l0"],
        5: ["/a=2 c2 m4 v2 l0"],
        6: ["/a=2 c2 m4 v2 l0", "/c=1 c6 m6 v1 l0"],
        7: ["/a=2 c2 m4 v2 l0", "/b=2 c7 m7 v1 l0", "/c=1 c6 m6 v1 l0"],
        8: ["/b=2 c7 m7 v1 l0", "/c=1 c6 m6 v1 l0"],
      }
      const check = async (): Promise<void> => {
        for (const [at, expected] of Object.entries(states)) {
          const revision = Number(at)
          if (revision < s.compactRevision) continue
          const range = await s.range({ prefix: "", revision })
          assert.deepEqual(range.kvs.map(show), expected, `at ${at}`)
          assert.equal(range.count, expected.length)
          assert.equal(range.revision, 8)
          for (const key of ["/a", "/b", "/c"]) {
            const kv = range.kvs.find((candidate) => candidate.key === key)
            assert.equal(show(await s.get(key, { revision })), show(kv))
          }
          const limited = await s.range({ prefix: "", revision, limit: 1, from: "/b" })
          assert.equal(limited.count, expected.filter((line) => line >= "/b").length)
        }
      }
      await check()
      for (const revision of [3, 5, 7, 8]) {
        await s.compact(revision)
        await check()
      }
    })

    test("the future cannot be read", async ({ s }) => {
      await s.put("/a", bytes("1"))
      await assert.rejects(s.get("/a", { revision: 3 }), FutureRevisionError)
      await assert.rejects(s.range({ prefix: "/", revision: 99 }), FutureRevisionError)
      await assert.rejects(s.compact(3), FutureRevisionError)
    })

    test("a range is of one revision, whatever is written meanwhile", async ({ s }) => {
      const count = 600
      await Promise.all(Array.from({ length: count }, (_, i) => s.put(`/r/${i}`, bytes("0"))))
      let stop = false
      const writing = (async () => {
        for (let i = 1; !stop; i++) await s.put(`/r/${(i * 7) % count}`, bytes(`${i}`))
      })()
      for (let i = 0; i < 5; i++) {
        const range = await s.range({ prefix: "/r/" })
        const newest = Math.max(...range.kvs.map((kv) => kv.modRevision))
        assert.equal(newest, range.revision)
        const again = await s.range({ prefix: "/r/", revision: range.revision })
        assert.deepEqual(again.kvs.map(show), range.kvs.map(show))
      }
      stop = true
      await writing
    })
  })

  watchConformance(name, test, options.remote ?? false)

  describe(`${name}: leases`, () => {
    test("a lease's end deletes its keys as ordinary writes", async ({ s, advance }) => {
      if (!advance) return
      const lease = await s.grantLease(10)
      const other = await s.grantLease(100)
      assert.notEqual(lease, other)
      await s.put("/l/a", bytes("a"), { lease })
      await s.put("/l/b", bytes("b"), { lease })
      await s.put("/l/c", bytes("c"), { lease: other })
      await s.put("/l/moved", bytes("m"), { lease })
      await s.put("/l/moved", bytes("m"), { lease: other })
      await s.put("/l/freed", bytes("f"), { lease })
      await s.put("/l/freed", bytes("f"))
      await s.put("/l/gone", bytes("g"), { lease })
      await s.delete("/l/gone")
      assert.equal((await s.get("/l/a"))!.lease, lease)
      const { revision } = s
      const watch = take(s.watch({ prefix: "/l/", signal: never() }), 2)
      await advance(9_900)
      assert.equal(s.revision, revision)
      await advance(200)
      const events = await watch
      assert.deepEqual(
        events.map((event) => `${event.revision} ${event.type} ${event.key} ${event.previous?.lease}`),
        [`${revision + 1} delete /l/a ${lease}`, `${revision + 2} delete /l/b ${lease}`],
      )
      assert.deepEqual(keysOf((await s.range({ prefix: "/l/" })).kvs), ["/l/c", "/l/freed", "/l/moved"])
      assert.equal(await s.renewLease(lease), false)
      await assert.rejects(s.put("/l/d", bytes("d"), { lease }), /no lease/)
      await advance(100_000)
    })

    test("a renewed lease lives its whole time again", async ({ s, advance }) => {
      if (!advance) return
      const lease = await s.grantLease(10)
      await s.put("/a", bytes("a"), { lease })
      for (let i = 0; i < 5; i++) {
        await advance(8_000)
        assert.equal(await s.renewLease(lease), true)
      }
      await advance(9_900)
      assert.ok(await s.get("/a"))
      const watch = take(s.watch({ prefix: "", signal: never() }), 1)
      await advance(200)
      assert.equal((await watch)[0]!.type, "delete")
    })

    test("a revoked lease ends at once", async ({ s }) => {
      const lease = await s.grantLease(3600)
      const keys = Array.from({ length: 300 }, (_, i) => `/e/${String(i).padStart(3, "0")}`)
      await Promise.all(keys.map((key) => s.put(key, bytes("e"), { lease })))
      const writing = s.put("/e/100", bytes("kept"))
      await Promise.all([s.revokeLease(lease), writing])
      assert.deepEqual(keysOf((await s.range({ prefix: "/e/" })).kvs), ["/e/100"])
      assert.equal(s.revision, 1 + 300 + 1 + (options.remote ? 1 : 299))
      await s.revokeLease(lease)
      await s.revokeLease(12345)
    })

    test("a lease needs a time", async ({ s }) => {
      for (const ttl of [0, -1, Number.NaN]) await assert.rejects(s.grantLease(ttl), /Cannot grant/)
    })
  })

  describe(`${name}: persistence`, () => {
    test("everything is there after opening again", async ({ s, reopen }) => {
      if (!reopen) return
      await s.put("/a", bytes("1"))
      await s.put("/b", bytes("1"))
      await s.put("/a", bytes("2"))
      await s.delete("/b")
      const now = await reopen()
      assert.equal(now.revision, 5)
      assert.equal(show(await now.get("/a")), "/a=2 c2 m4 v2 l0")
      assert.equal(show(await now.get("/b", { revision: 4 })), "/b=1 c3 m3 v1 l0")
      const events = await take(now.watch({ prefix: "", from: 2, signal: never() }), 4)
      assert.deepEqual(events.map(showEvent), [
        "2 put /a: - > /a=1 c2 m2 v1 l0",
        "3 put /b: - > /b=1 c3 m3 v1 l0",
        "4 put /a: /a=1 c2 m2 v1 l0 > /a=2 c2 m4 v2 l0",
        "5 delete /b: /b=1 c3 m3 v1 l0 > -",
      ])
      assert.equal((await now.put("/b", bytes("x"), { expected: 0 })).revision, 6)
      await now.compact(5)
      const then = await reopen()
      assert.equal(then.compactRevision, 5)
      await assert.rejects(then.get("/a", { revision: 4 }), CompactedError)
      assert.equal(then.revision, 6)
      assert.ok((await then.size()) > 0)
    })

    test("writes that were not awaited before closing are there", async ({ s, reopen }) => {
      if (!reopen) return
      const writes = Array.from({ length: 100 }, (_, i) => s.put(`/${i}`, bytes(`${i}`)))
      const [now] = await Promise.all([reopen(), ...writes])
      assert.equal((await now.range({ prefix: "" })).count, 100)
    })

    test("leases go on with the time that they have left", async ({ s, reopen, advance }) => {
      if (!reopen || !advance) return
      const short = await s.grantLease(10)
      const long = await s.grantLease(100)
      await s.put("/short", bytes("s"), { lease: short })
      await s.put("/long", bytes("l"), { lease: long })
      await advance(5_000)
      const now = await reopen(2_000)
      assert.equal(await now.renewLease(long), true)
      await advance(2_500)
      assert.ok(await now.get("/short"))
      const watch = take(now.watch({ prefix: "", signal: never() }), 1)
      await advance(1_000)
      assert.equal((await watch)[0]!.key, "/short")
      const later = await reopen(1_000_000)
      const ended = take(later.watch({ prefix: "", from: 5, signal: never() }), 1)
      await advance(1)
      assert.equal((await ended)[0]!.key, "/long")
      assert.equal(await later.renewLease(long), false)
    })
  })
}
