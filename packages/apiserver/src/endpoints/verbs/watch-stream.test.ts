import assert from "node:assert/strict"
import { test } from "node:test"
import { configMap } from "@knarr/api"
import type { ResponseStream } from "../../contract.ts"
import { json } from "../../encoding/json.ts"
import { cachedObject, type CachedObject } from "../../registry/cached-object.ts"
import { CacheEvent } from "../../registry/cache-event.ts"
import { encodeStored } from "../../registry/object-codec.ts"
import { startTestRegistry } from "../../registry/testing.ts"
import type { WatchItem } from "../../registry/watchers.ts"
import { presentationOf } from "./presentation.ts"
import { TableColumns } from "./table-columns.ts"
import type { WatchCounts } from "./watch-metrics.ts"
import { HeldBytes, WatchStream } from "./watch-stream.ts"

class SlowStream implements ResponseStream {
  pendingBytes = 0
  readonly chunks: Buffer[] = []
  #resume: (() => void)[] = []

  readonly #unsent: (() => void)[] = []

  write(chunk: Buffer, done?: () => void): boolean {
    this.chunks.push(chunk)
    if (this.pendingBytes === 0) done?.()
    else if (done) this.#unsent.push(done)
    return this.pendingBytes === 0
  }

  drained(): Promise<void> {
    return new Promise((resolve) => this.#resume.push(resolve))
  }

  async flow(): Promise<void> {
    for (const done of this.#unsent.splice(0)) done()
    for (const resume of this.#resume.splice(0)) resume()
    await new Promise((resolve) => setImmediate(resolve))
  }

  end(): void {}
  abort(): void {}
}

const uncounted: WatchCounts = { sent() {}, listed() {} }

test("a reader that stalls gets everything later, in order, or is too slow", async () => {
  await using t = await startTestRegistry()
  const storage = t.registry.storage(configMap)
  const object = (revision: number): CachedObject => {
    const value = { kind: "ConfigMap", apiVersion: "v1", metadata: { name: `m${revision}`, namespace: "d" } }
    return cachedObject(storage.cache.form, value.metadata.name, encodeStored(value as never), revision)
  }
  const item = (revision: number): WatchItem => {
    const event = new CacheEvent("ADDED", object(revision), undefined)
    return { type: "ADDED", object: event.object, event }
  }
  const form = { as: "", version: "" } as const
  const shown = presentationOf(storage.view, form, new URLSearchParams(), () => 0, new TableColumns())
  const stream = new SlowStream()
  let sent = 0
  const watch = new WatchStream(stream, { encoding: json.watch!, shown }, new AbortController().signal, {
    ...uncounted,
    sent: () => sent++,
  })
  assert.ok(watch.deliver([item(1)]))
  stream.pendingBytes = 64 * 1024 * 1024
  for (let i = 2; i <= 600; i++) assert.ok(watch.deliver([item(i)]))
  assert.equal(stream.chunks.length, 1)
  stream.pendingBytes = 0
  for (let i = 0; i < 5; i++) await stream.flow()
  const seen = Buffer.concat(stream.chunks)
    .toString()
    .trim()
    .split("\n")
    .map((line) =>
      Number(
        (JSON.parse(line) as { object: { metadata: { resourceVersion: string } } }).object.metadata
          .resourceVersion,
      ),
    )
  assert.deepEqual(
    seen,
    Array.from({ length: 600 }, (_, i) => i + 1),
  )
  assert.equal(sent, 600)
  stream.pendingBytes = 64 * 1024 * 1024
  const many = Array.from({ length: 20_001 }, () => item(700))
  assert.equal(watch.deliver(many), false)
})

test("a reader that stalls holds so many bytes, and all of them together so many", async () => {
  await using t = await startTestRegistry()
  const storage = t.registry.storage(configMap)
  const metadata = { name: "m", namespace: "d" }
  const value = { kind: "ConfigMap", apiVersion: "v1", metadata, data: { a: "x".repeat(300_000) } }
  const object = cachedObject(storage.cache.form, "d/m", encodeStored(value as never), 7)
  const event = new CacheEvent("MODIFIED", object, undefined)
  const items: WatchItem[] = [{ type: "MODIFIED", object, event }]
  const form = { as: "", version: "" } as const
  const shown = presentationOf(storage.view, form, new URLSearchParams(), () => 0, new TableColumns())
  const held = new HeldBytes(40_000_000)
  /** How many events a watch takes that nobody reads. */
  const fill = (): { taken: number; stream: SlowStream } => {
    const stream = new SlowStream()
    stream.pendingBytes = 64 * 1024 * 1024
    const watch = new WatchStream(
      stream,
      { encoding: json.watch!, shown },
      new AbortController().signal,
      uncounted,
      held,
    )
    let taken = 0
    while (taken < 1000 && watch.deliver(items)) taken++
    return { taken, stream }
  }
  const watches = [fill(), fill(), fill(), fill()]
  // Of 16 MiB each, until 40 MB are there: then those that hold something give way.
  assert.deepEqual(
    watches.map(({ taken }) => taken),
    [55, 55, 23, 0],
  )
  assert.ok(held.total <= held.limit)
  for (const { stream } of watches) {
    stream.pendingBytes = 0
    for (let i = 0; i < 120; i++) await stream.flow()
  }
  assert.equal(held.total, 0)
})

test("one batch of large events does not go out at once", async () => {
  await using t = await startTestRegistry()
  const storage = t.registry.storage(configMap)
  const value = {
    kind: "ConfigMap",
    apiVersion: "v1",
    metadata: { name: "m", namespace: "d" },
    data: { a: "x".repeat(300_000) },
  }
  const object = cachedObject(storage.cache.form, "d/m", encodeStored(value as never), 7)
  const form = { as: "", version: "" } as const
  const shown = presentationOf(storage.view, form, new URLSearchParams(), () => 0, new TableColumns())
  const stream = new SlowStream()
  const watch = new WatchStream(
    stream,
    { encoding: json.watch!, shown },
    new AbortController().signal,
    uncounted,
    new HeldBytes(1e9),
  )
  const items = Array.from({ length: 40 }, (): WatchItem => ({ type: "ADDED", object, event: undefined }))
  assert.equal(watch.deliver(items), true)
  assert.ok(stream.chunks[0]!.length <= 2.1 * 1024 * 1024)
  for (let i = 0; i < 60; i++) await stream.flow()
  assert.equal(Buffer.concat(stream.chunks).toString().split("\n").length, 41)
})
