import assert from "node:assert/strict"
import { test } from "node:test"
import { configMap, pod, type ConfigMap } from "@knarr/api"
import { isExpired, statusOf, StatusError } from "@knarr/apimachinery"
import type { Client, WatchEvent, WatchOptions } from "@knarr/client"
import { startTestRegistry } from "./testing.ts"
import { prepareWatch } from "./watch.ts"
import type { WatchSink } from "./watch-sink.ts"

const ns = "default"

function cm(name: string, labels: Record<string, string> = {}): ConfigMap {
  return { metadata: { name, namespace: ns, labels } } as unknown as ConfigMap
}

interface Reading {
  /** Events so far, as `TYPE name@revision`. */
  readonly seen: string[]
  readonly events: WatchEvent<ConfigMap>[]
  readonly done: Promise<unknown>
  stop(): Promise<void>
}

function read(
  client: Client,
  options: Omit<WatchOptions, "signal"> = {},
  kind: typeof configMap = configMap,
): Reading {
  const controller = new AbortController()
  const seen: string[] = []
  const events: WatchEvent<ConfigMap>[] = []
  const done = (async () => {
    try {
      for await (const event of client.watch(kind, { ...options, signal: controller.signal })) {
        events.push(event)
        const { metadata } = event.object as ConfigMap
        seen.push(
          event.type === "ERROR"
            ? `ERROR ${event.object.code}`
            : `${event.type} ${metadata.name ?? ""}@${metadata.resourceVersion}`,
        )
      }
      return undefined
    } catch (thrown) {
      return thrown
    }
  })()
  return {
    seen,
    events,
    done,
    async stop() {
      controller.abort(new Error("stop"))
      await done
    },
  }
}

test("a watch begins with the present objects and goes on with what happens", async () => {
  await using t = await startTestRegistry()
  await t.client.create(configMap, cm("a"))
  const w = read(t.client, { namespace: ns })
  await t.clock.advance(0)
  const b = await t.client.create(configMap, cm("b"))
  await t.client.update(configMap, { ...b, data: { x: "y" } })
  await t.client.delete(configMap, { namespace: ns, name: "a" })
  await t.clock.advance(0)
  assert.deepEqual(w.seen, ["ADDED a@2", "ADDED b@3", "MODIFIED b@4", "DELETED a@5"])
  await w.stop()
})

test("a watcher is told when objects begin and cease to match", async () => {
  await using t = await startTestRegistry()
  const w = read(t.client, { labelSelector: "on=1", resourceVersion: "0" })
  await t.clock.advance(0)
  const ref = { namespace: ns, name: "a" }
  await t.client.create(configMap, cm("a", { on: "0" }))
  await t.client.patch(configMap, ref, "merge", { metadata: { labels: { on: "1" } }, data: { v: "1" } })
  await t.client.patch(configMap, ref, "merge", { data: { v: "2" } })
  await t.client.patch(configMap, ref, "merge", { metadata: { labels: { on: "0" } }, data: { v: "3" } })
  await t.client.delete(configMap, ref)
  await t.clock.advance(0)
  assert.deepEqual(w.seen, ["ADDED a@3", "MODIFIED a@4", "DELETED a@5"])
  assert.deepEqual((w.events[2]!.object as ConfigMap).data, { v: "2" })
  await w.stop()
})

test("field selectors: watches by node name and by name see their own objects", async () => {
  await using t = await startTestRegistry()
  const byNode = read(t.client, { fieldSelector: "spec.nodeName=n1" }, pod as never)
  const byName = read(t.client, { fieldSelector: "metadata.name=q" }, pod as never)
  await t.clock.advance(0)
  for (const name of ["p", "q"]) {
    await t.client.create(pod, {
      metadata: { name, namespace: ns },
      spec: { containers: [{ name: "c", image: "i" }] },
    } as never)
  }
  await t.client.createSubresource(pod, { namespace: ns, name: "p" }, "binding", {
    metadata: { name: "p" },
    target: { kind: "Node", name: "n1" },
  })
  await t.clock.advance(0)
  assert.deepEqual(byNode.seen, ["ADDED p@4"])
  assert.deepEqual(byName.seen, ["ADDED q@3"])
  const { items } = await t.client.list(pod, { fieldSelector: "spec.nodeName=n1" })
  assert.equal(items.length, 1)
  await byNode.stop()
  await byName.stop()
})

test("a watch resumes from a revision, also one before a restart, in order and without gaps", async () => {
  const first = await startTestRegistry()
  await first.client.create(configMap, cm("a"))
  await first.client.create(configMap, cm("b"))
  const b = await first.client.get(configMap, { namespace: ns, name: "b" })
  await first.client.update(configMap, { ...b, data: { x: "1" } })
  await first.client.delete(configMap, { namespace: ns, name: "a" })
  const before = read(first.client, { resourceVersion: "2" })
  await first.clock.advance(0)
  assert.deepEqual(before.seen, ["ADDED b@3", "MODIFIED b@4", "DELETED a@5"])
  await before.stop()
  await using t = await first.restart()
  await t.client.create(configMap, cm("c"))
  const after = read(t.client, { resourceVersion: "2" })
  await t.clock.advance(0)
  await t.client.create(configMap, cm("d"))
  await t.clock.advance(0)
  assert.deepEqual(after.seen, ["ADDED b@3", "MODIFIED b@4", "DELETED a@5", "ADDED c@6", "ADDED d@7"])
  await after.stop()
})

test("a revision that has fallen out of the cache's memory comes from the store", async () => {
  await using t = await startTestRegistry({ history: { events: 2, bytes: 1 << 20 } })
  for (let i = 0; i < 6; i++) await t.client.create(configMap, cm(`c${i}`))
  const w = read(t.client, { resourceVersion: "3" })
  await t.clock.advance(0)
  assert.deepEqual(w.seen, ["ADDED c2@4", "ADDED c3@5", "ADDED c4@6", "ADDED c5@7"])
  await w.stop()
})

test("a compacted revision is expired", async () => {
  const first = await startTestRegistry()
  for (let i = 0; i < 6; i++) await first.client.create(configMap, cm(`c${i}`))
  await first.store.compact(6)
  await using t = await first.restart()
  const w = read(t.client, { resourceVersion: "3" })
  await t.clock.advance(0)
  assert.deepEqual(w.seen, ["ERROR 410"])
  const error = new StatusError(w.events[0]!.object as never)
  assert.ok(isExpired(error))
  assert.equal(error.message, "too old resource version: 3 (6)")
  assert.equal(await w.done, undefined)
})

test("bookmarks come every minute, and at the end of the initial events", async () => {
  await using t = await startTestRegistry()
  await t.client.create(configMap, cm("a"))
  const w = read(t.client, { sendInitialEvents: true, allowWatchBookmarks: true })
  await t.clock.advance(0)
  assert.deepEqual(w.seen, ["ADDED a@2", "BOOKMARK @2"])
  assert.deepEqual((w.events[1]!.object as ConfigMap).metadata.annotations, {
    "k8s.io/initial-events-end": "true",
  })
  await t.client.create(pod, {
    metadata: { name: "p", namespace: ns },
    spec: { containers: [{ name: "c", image: "i" }] },
  } as never)
  await t.clock.advance(60_000)
  assert.deepEqual(w.seen.slice(2), ["BOOKMARK @3"])
  assert.equal((w.events[2]!.object as ConfigMap).metadata.annotations, undefined)
  await w.stop()
})

test("a watch ends when its time is over", async () => {
  await using t = await startTestRegistry()
  const w = read(t.client, { timeoutSeconds: 5 })
  await t.clock.advance(5000)
  assert.equal(await w.done, undefined)
  const long = read(t.client, {})
  let ended = false
  void long.done.then(() => (ended = true))
  await t.clock.advance(30 * 60_000 - 1)
  assert.equal(ended, false)
  await t.clock.advance(30 * 60_000 + 1)
  assert.equal(ended, true)
})

test("options of a watch are checked", async () => {
  await using t = await startTestRegistry()
  const w = read(t.client, { fieldSelector: "data.x=1" })
  const error = await w.done
  assert.equal(statusOf(error)?.code, 400)
  assert.equal(
    (error as Error).message,
    '"data.x" is not a known field selector: only "metadata.name", "metadata.namespace"',
  )
})

test("the same seed gives the same run", async () => {
  const run = async (): Promise<string> => {
    await using t = await startTestRegistry({ seed: 7 })
    const w = read(t.client, { allowWatchBookmarks: true })
    const writers = ["a", "b", "c"].map(async (prefix) => {
      for (let i = 0; i < 20; i++) {
        const made = await t.client.create(configMap, {
          metadata: { generateName: `${prefix}-`, namespace: ns },
        } as never)
        await t.client.patch(configMap, { namespace: ns, name: made.metadata.name }, "merge", {
          data: { i: String(i) },
        })
        await t.clock.sleep(1000 * (1 + (i % 3)), t.scope.signal)
      }
    })
    await t.clock.advance(120_000)
    await Promise.all(writers)
    await w.stop()
    return JSON.stringify(w.events)
  }
  assert.equal(await run(), await run())
})

test("an initial list comes in pieces of bounded size, and who does not read it is let go", async () => {
  await using t = await startTestRegistry()
  const large = { data: { a: "x".repeat(300_000) } }
  for (let i = 0; i < 8; i++) await t.client.create(configMap, { ...cm(`m${i}`), ...large })
  const watch = await prepareWatch(t.registry.storage(configMap), { namespace: ns, resourceVersion: "0" })
  const pieces: number[] = []
  const mayGoOn = Promise.withResolvers<void>()
  const sink: WatchSink = {
    deliver(items) {
      pieces.push(items.reduce((sum, { object }) => sum + object.bytes.length, 0))
      return true
    },
    bookmark() {},
    fail: (error) => assert.fail(error),
    ready: () => (pieces.length < 4 ? undefined : mayGoOn.promise),
  }
  const controller = new AbortController()
  let over = false
  const done = watch.run(sink, controller.signal).finally(() => (over = true))
  assert.equal(pieces.length, 4)
  assert.ok(pieces.every((bytes) => bytes < 600_000))
  let updates = 0
  while (!over && updates < 200) {
    await t.client.update(configMap, { ...cm("m0"), data: { a: "y".repeat(300_000 + updates++) } })
    await t.clock.advance(0)
  }
  await done
  assert.ok(updates > 40 && updates < 80, `${updates}`)
  mayGoOn.resolve()
})
