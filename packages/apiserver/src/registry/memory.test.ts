import assert from "node:assert/strict"
import { test } from "node:test"
import { setImmediate } from "node:timers/promises"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { lease, pod } from "@knarr/api"
import type { KubeObject, Kind } from "@knarr/apimachinery"
import { DecodedValues } from "./decoded-values.ts"
import { HistoryBudget } from "./event-ring.ts"
import { Resource } from "./resource.ts"
import { Slabs } from "./slabs.ts"
import type { WatchCache } from "./watch-cache.ts"

test("what is gone holds no more memory than the stated history, however kinds take turns", async () => {
  setFlagsFromString("--expose-gc")
  const gc = runInNewContext("gc") as () => void
  // A value that was referred to weakly lives to the end of its turn, and buffers are given back on a thread.
  const collect = async (): Promise<void> => {
    for (let i = 0; i < 3; i++) {
      await setImmediate()
      gc()
    }
  }
  const limits = { events: 1000, bytes: 2 ** 20 }
  const deps = {
    decoded: new DecodedValues(4096),
    history: limits,
    shared: { slabs: new Slabs(), history: new HistoryBudget(2 * limits.bytes) },
    onUnreadable: () => {},
    signal: new AbortController().signal,
  }
  const cacheOf = (kind: Kind): WatchCache => new Resource({ versions: [kind], stored: kind }, deps).cache
  const pods = cacheOf(pod as Kind)
  const leases = cacheOf(lease as Kind)
  let revision = 1
  const put = (cache: WatchCache, name: string, filler: number): void => {
    const { kind, apiVersion } = cache.kind
    const annotations = { filler: "x".repeat(filler) }
    const metadata = { name, namespace: "a", uid: `${revision}`, annotations }
    const value = cache.form.encode({
      kind,
      apiVersion,
      metadata,
      spec: {},
      status: {},
    } as unknown as KubeObject)
    const key = `${cache.prefix}a/${name}`
    const modRevision = ++revision
    const kv = { key, value, createRevision: 1, modRevision, version: 1, lease: 0 }
    cache.apply({ type: "put", revision, key, kv, previous: undefined })
    cache.flush()
    // As a reader of the object does, which keeps its value for a while.
    void cache.get(`a/${name}`)!.value
  }
  const remove = (cache: WatchCache, name: string): void => {
    const key = `${cache.prefix}a/${name}`
    cache.apply({ type: "delete", revision: ++revision, key, kv: undefined, previous: undefined })
    cache.flush()
  }
  await collect()
  const before = process.memoryUsage().arrayBuffers
  for (let i = 0; i < 40_000; i++) {
    put(pods, `pod-${i}`, 2500)
    if (i >= 100) remove(pods, `pod-${i - 100}`)
    if (i % 40 === 0) put(leases, "node-0", 300)
    if (i % 500 === 0) await setImmediate()
  }
  await collect()
  const live = pods.bytes + leases.bytes
  const held = process.memoryUsage().arrayBuffers - before
  assert.equal(pods.size, 100)
  assert.ok(held < 2 * (live + 2 * limits.bytes), `${held} bytes are held for ${live} that live`)
})
