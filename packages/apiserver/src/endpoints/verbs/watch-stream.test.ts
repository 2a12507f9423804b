import assert from "node:assert/strict"
import { test } from "node:test"
import { configMap } from "@knarr/api"
import type { ResponseStream } from "../../contract.ts"
import { cachedObject, type CachedObject } from "../../registry/cached-object.ts"
import { CacheEvent } from "../../registry/cache-event.ts"
import { encodeStored } from "../../registry/object-codec.ts"
import { startTestRegistry } from "../../registry/testing.ts"
import type { WatchItem } from "../../registry/watchers.ts"
import { itemEncoder } from "./item-encoder.ts"
import { WatchStream } from "./watch-stream.ts"

class SlowStream implements ResponseStream {
  pendingBytes = 0
  readonly chunks: Buffer[] = []
  #resume: (() => void)[] = []

  write(chunk: Buffer): boolean {
    this.chunks.push(chunk)
    return this.pendingBytes === 0
  }

  drained(): Promise<void> {
    return new Promise((resolve) => this.#resume.push(resolve))
  }

  async flow(): Promise<void> {
    for (const resume of this.#resume.splice(0)) resume()
    await new Promise((resolve) => setImmediate(resolve))
  }

  end(): void {}
  abort(): void {}
}

test("a reader that stalls gets everything later, in order, or is too slow", async () => {
  await using t = await startTestRegistry()
  const storage = t.registry.storage(configMap)
  const object = (revision: number): CachedObject => {
    const value = { kind: "ConfigMap", apiVersion: "v1", metadata: { name: `m${revision}`, namespace: "d" } }
    return cachedObject(storage.cache.shape, value.metadata.name, encodeStored(value as never), revision)
  }
  const item = (revision: number): WatchItem => {
    const event = new CacheEvent("ADDED", object(revision), undefined)
    return { type: "ADDED", object: event.object, event }
  }
  const form = { yaml: false, as: "", version: "", pretty: false } as const
  const encoder = itemEncoder(storage.view, form, new URLSearchParams(), () => 0)
  const stream = new SlowStream()
  const watch = new WatchStream(stream, encoder, new AbortController().signal)
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
  stream.pendingBytes = 64 * 1024 * 1024
  const many = Array.from({ length: 20_001 }, () => item(700))
  assert.equal(watch.deliver(many), false)
})
