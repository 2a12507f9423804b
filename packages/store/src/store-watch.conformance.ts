/** The part of the conformance suite about watches and compaction. */
import assert from "node:assert/strict"
import { describe } from "node:test"
import { type StoreTest, bytes, keysOf, never, show, showEvent, take } from "./store-cases.conformance.ts"
import { CompactedError, type KeyValue, SlowWatcherError, type Store, type StoreEvent } from "./store.ts"

/** Registers these tests for one engine. */
export function watchConformance(name: string, test: StoreTest, remote: boolean): void {
  describe(`${name}: watches`, () => {
    const history = async (s: Store): Promise<string[]> => {
      await s.put("/w/a", bytes("1"))
      await s.put("/x", bytes("1"))
      await s.put("/w/a", bytes("2"))
      await s.put("/w/b", bytes("1"))
      await s.delete("/w/a")
      await s.put("/w/a", bytes("3"))
      return [
        "2 put /w/a: - > /w/a=1 c2 m2 v1 l0",
        "4 put /w/a: /w/a=1 c2 m2 v1 l0 > /w/a=2 c2 m4 v2 l0",
        "5 put /w/b: - > /w/b=1 c5 m5 v1 l0",
        "6 delete /w/a: /w/a=2 c2 m4 v2 l0 > -",
        "7 put /w/a: - > /w/a=3 c7 m7 v1 l0",
      ]
    }

    test("from a revision in the past all since then comes, with what was before", async ({ s }) => {
      const expected = await history(s)
      for (const from of [1, 2, 3, 5, 7]) {
        const wanted = expected.filter((line) => Number.parseInt(line, 10) >= from)
        const events = await take(s.watch({ prefix: "/w/", from, signal: never() }), wanted.length)
        assert.deepEqual(events.map(showEvent), wanted, `from ${from}`)
      }
    })

    test("live events are the same as those from history", async ({ s }) => {
      const live = take(s.watch({ prefix: "/w/", signal: never() }), 5)
      const expected = await history(s)
      assert.deepEqual((await live).map(showEvent), expected)
    })

    test("a long history and large values come whole", async ({ s }) => {
      const large = Buffer.alloc(1_000_000, "large")
      await Promise.all(Array.from({ length: 2100 }, (_, i) => s.put(`/${i % 5}`, bytes(`${i}`))))
      for (let i = 0; i < 9; i++) await s.put("/large", large)
      for (const [prefix, count] of [
        ["", 2109],
        ["/3", 420],
        ["/large", 9],
      ] as const) {
        const events = await take(s.watch({ prefix, from: 2, signal: never() }), count)
        assert.equal(events.length, count)
        for (const [i, event] of events.entries())
          assert.ok(i === 0 || event.revision > events[i - 1]!.revision)
      }
    })

    test("without a start, and iterated late, a watch still begins where it was asked for", async ({ s }) => {
      await s.put("/w/0", bytes("0"))
      const watch = s.watch({ prefix: "/w/", signal: never() })
      await s.put("/w/1", bytes("1"))
      await s.put("/w/2", bytes("2"))
      const events = await take(watch, 2)
      assert.deepEqual(
        events.map((event) => event.key),
        ["/w/1", "/w/2"],
      )
    })

    test("from a revision in the future the watch waits for it", async ({ s }) => {
      const later = take(s.watch({ prefix: "", from: 4, signal: never() }), 1)
      for (let i = 0; i < 3; i++) await s.put(`/${i}`, bytes("x"))
      assert.deepEqual(
        (await later).map((event) => event.revision),
        [4],
      )
    })

    test("prefixes bound a watch as they bound a range", async ({ s }) => {
      const watch = take(s.watch({ prefix: "/registry/pods/", signal: never() }), 2)
      for (const key of [
        "/registry/pods/a",
        "/registry/podtemplates/a",
        "/registry/pods",
        "/registry/pods/b",
      ])
        await s.put(key, bytes("x"))
      assert.deepEqual(
        (await watch).map((event) => event.key),
        ["/registry/pods/a", "/registry/pods/b"],
      )
    })

    test("watchers that start at any moment of a storm see every revision once, in order", async ({ s }) => {
      const writers = 6
      const each = 60
      const total = writers * each
      const watches: Promise<StoreEvent[]>[] = []
      const start = (from: number): void => {
        watches.push(take(s.watch({ prefix: "", from, signal: never() }), total + 2 - from))
      }
      start(2)
      await Promise.all(
        Array.from({ length: writers }, async (_, w) => {
          for (let i = 0; i < each; i++) {
            const { revision } = await s.put(`/${w}/${i % 7}`, bytes(`${w} ${i}`))
            if (i % 20 === 0) start(Math.max(2, revision - (i % 3) * 10))
          }
        }),
      )
      const last = new Map<string, KeyValue | undefined>()
      for (const [index, watch] of watches.entries()) {
        const events = await watch
        assert.equal(events.at(-1)!.revision, total + 1)
        events.forEach((event, i) => {
          assert.equal(event.revision, events[0]!.revision + i)
          if (index > 0) return
          assert.equal(show(event.previous), show(last.get(event.key)))
          last.set(event.key, event.kv)
        })
      }
    })

    test("an event is delivered when it can be read, not before", async ({ s }) => {
      const watch = (async () => {
        for await (const batch of s.watch({ prefix: "", signal: never() })) {
          for (const event of batch) {
            assert.ok(s.revision >= event.revision)
            assert.ok((await s.get(event.key))!.modRevision >= event.revision)
            if (event.revision === 101) return
          }
        }
      })()
      await Promise.all(Array.from({ length: 100 }, (_, i) => s.put(`/${i}`, bytes(`${i}`))))
      await watch
    })

    test("a watch ends with the reason of its signal, waiting or not", async ({ s }) => {
      const waiting = new AbortController()
      const ended = take(s.watch({ prefix: "", signal: waiting.signal }), 1)
      const reason = new Error("enough")
      waiting.abort(reason)
      await assert.rejects(ended, reason)
      await s.put("/a", bytes("1"))
      await assert.rejects(take(s.watch({ prefix: "", from: 2, signal: waiting.signal }), 1), reason)
    })

    test("a watcher too far behind gets what it had and then an error, and may go on from there", async ({
      s,
    }) => {
      const watch = s.watch({ prefix: "", signal: never() })[Symbol.asyncIterator]()
      const first = watch.next()
      await s.put("/0", bytes("x"))
      assert.equal((await first).value.length, 1)
      for (let i = 1; i <= 20; i++) await s.put(`/${i}`, bytes("x"))
      const seen: number[] = []
      await assert.rejects(async () => {
        for (;;) {
          const batch = await watch.next()
          assert.ok(!batch.done)
          seen.push(...batch.value.map((event: StoreEvent) => event.revision))
        }
      }, SlowWatcherError)
      assert.deepEqual(seen, [3, 4, 5, 6, 7, 8, 9, 10])
      const rest = await take(s.watch({ prefix: "", from: 11, signal: never() }), 12)
      assert.deepEqual(
        rest.map((event) => event.revision),
        Array.from({ length: 12 }, (_, i) => 11 + i),
      )
    }, 8)

    test("watches end when the store closes", async ({ s }) => {
      const ended = take(s.watch({ prefix: "", signal: never() }), 1)
      await s.put("/a", bytes("1"))
      await ended
      const rejected = assert.rejects(take(s.watch({ prefix: "", signal: never() }), 1), /stopped/)
      await s[Symbol.asyncDispose]()
      await rejected
      await assert.rejects(s.put("/a", bytes("1")), /closed/)
      await assert.rejects(s.get("/a"), /closed/)
    })
  })

  describe(`${name}: compaction`, () => {
    test("what is older is gone, what is newer is whole", async ({ s }) => {
      for (let i = 0; i < 5; i++) await s.put("/a", bytes(`${i}`)) // 2..6
      await s.put("/b", bytes("b")) // 7
      await s.delete("/a") // 8
      await s.put("/a", bytes("new")) // 9
      await s.compact(6)
      assert.equal(s.compactRevision, 6)
      await assert.rejects(s.get("/a", { revision: 5 }), (error) => {
        assert.ok(error instanceof CompactedError)
        assert.equal(error.compactRevision, 6)
        return true
      })
      await assert.rejects(s.range({ prefix: "", revision: 1 }), CompactedError)
      assert.equal(show(await s.get("/a", { revision: 6 })), "/a=4 c2 m6 v5 l0")
      await assert.rejects(take(s.watch({ prefix: "", from: 5, signal: never() }), 1), CompactedError)
      const events = await take(s.watch({ prefix: "", from: 6, signal: never() }), 4)
      assert.deepEqual(events.map(showEvent), [
        `6 put /a: ${remote ? "-" : "/a=3 c2 m5 v4 l0"} > /a=4 c2 m6 v5 l0`,
        "7 put /b: - > /b=b c7 m7 v1 l0",
        "8 delete /a: /a=4 c2 m6 v5 l0 > -",
        "9 put /a: - > /a=new c9 m9 v1 l0",
      ])
      await s.compact(6)
      await s.compact(3)
      assert.equal(s.compactRevision, 6)
      await s.compact(9)
      assert.deepEqual(keysOf((await s.range({ prefix: "" })).kvs), ["/a", "/b"])
      assert.equal(show(await s.get("/b", { revision: 9 })), "/b=b c7 m7 v1 l0")
      assert.equal(s.revision, 9)
    })

    test("a watch that has not caught up meets the compaction; a live one does not", async ({ s }) => {
      const live = s.watch({ prefix: "", signal: never() })[Symbol.asyncIterator]()
      const late = s.watch({ prefix: "", from: 2, signal: never() })
      const first = live.next()
      await s.put("/a", bytes("0"))
      // An engine in another process has caught up when it tells something.
      let count = (await first).value!.length
      for (let i = 1; i < 10; i++) await s.put("/a", bytes(`${i}`))
      await s.compact(11)
      await assert.rejects(take(late, 1), CompactedError)
      await s.put("/a", bytes("x"))
      await s.put("/a", bytes("y"))
      while (count < 12) count += (await live.next()).value!.length
      assert.equal(count, 12)
      await live.return?.()
    })

    test("a long history is compacted beside writes and reads", async ({ s }) => {
      for (let round = 0; round < 4; round++)
        await Promise.all(Array.from({ length: 200 }, (_, i) => s.put(`/${i}`, bytes(`${round}`))))
      await Promise.all(Array.from({ length: 100 }, (_, i) => s.delete(`/${i}`)))
      const { revision } = s
      const before = (await s.range({ prefix: "" })).kvs.map(show)
      await Promise.all([
        s.compact(revision),
        ...Array.from({ length: 100 }, async (_, i) => {
          await s.put(`/${i}`, bytes("again"))
          await s.delete(`/${i}`)
          await s.put(`/new/${i}`, bytes("x"))
        }),
      ])
      const then = await s.range({ prefix: "", revision })
      assert.deepEqual(then.kvs.map(show), before)
      const events = await take(s.watch({ prefix: "", from: revision + 1, signal: never() }), 300)
      assert.deepEqual(
        events.map((event) => event.revision),
        Array.from({ length: 300 }, (_, i) => revision + 1 + i),
      )
      await s.compact(s.revision)
      assert.equal((await s.range({ prefix: "" })).count, 200)
      assert.deepEqual((await s.range({ prefix: "/new/" })).count, 100)
    })
  })
}
