import assert from "node:assert/strict"
import { test } from "node:test"
import { configMap } from "@knarr/api"
import { type Env } from "@knarr/base"
import { virtualEnv } from "@knarr/testkit"
import { createMemoryStore, type Store, type StoreEvent } from "@knarr/store"
import { startTestRegistry } from "./testing.ts"

/** A store whose watches can be held back, as on a long disconnection, while everything else works. */
function interruptible(env: Env): { store: Store; cut(): void; mend(): void } {
  const inner = createMemoryStore({ env })
  let cut: AbortController | undefined
  let running = new AbortController()
  async function* watch(options: Parameters<Store["watch"]>[0]): AsyncGenerator<readonly StoreEvent[]> {
    if (cut) throw new Error("no connection")
    yield* inner.watch({ ...options, signal: AbortSignal.any([options.signal, running.signal]) })
  }
  return {
    store: new Proxy(inner, {
      get: (target, name) => {
        if (name === "watch") return watch
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === "function" ? value.bind(target) : value
      },
    }),
    cut() {
      cut = running
      running.abort(new Error("connection lost"))
    },
    mend() {
      cut = undefined
      running = new AbortController()
    },
  }
}

const data = (value: string) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { namespace: "default", name: "" },
  data: { value },
})

test("after a compaction that it missed the feed reads everything again, and watches end so that clients list", async () => {
  const env = virtualEnv()
  const { clock } = env
  const { store, cut, mend } = interruptible(env)
  await using t = await startTestRegistry({ env, store, clock })
  const { registry, client } = t
  const signal = AbortSignal.timeout(60_000)
  const create = (name: string) =>
    client.create(configMap, { ...data("old"), metadata: { namespace: "default", name } } as never, {
      signal,
    })
  for (const name of ["kept", "changed", "gone"]) await create(name)
  const seen: string[] = []
  using _follow = registry.onChange(configMap, (objects) => {
    for (const object of objects) seen.push(object.name)
  })
  const watched = (async () => {
    let count = 0
    for await (const _ of client.watch(configMap, { namespace: "default", resourceVersion: "0", signal }))
      count++
    return count
  })()
  await clock.advance(1)

  cut()
  await clock.advance(1)
  const prefix = "/registry/configmaps/default/"
  const changed = (await store.get(`${prefix}changed`))!
  await store.put(
    `${prefix}changed`,
    Buffer.from(Buffer.from(changed.value).toString().replace("old", "new")),
  )
  await store.delete(`${prefix}gone`)
  await store.put(
    `${prefix}added`,
    Buffer.from(Buffer.from(changed.value).toString().replaceAll("changed", "added")),
  )
  await store.compact(store.revision)
  mend()
  await clock.advance(20_000)

  const list = await client.list(configMap, { namespace: "default", signal })
  assert.deepEqual(
    list.items.map((one) => [one.metadata.name, one.data!["value"]]),
    [
      ["added", "old"],
      ["changed", "new"],
      ["kept", "old"],
    ],
  )
  assert.deepEqual(seen.sort(), ["added", "changed", "gone"])
  assert.equal(await watched, 3)
  await create("later")
  assert.equal(
    (await client.get(configMap, { namespace: "default", name: "later" }, { signal })).data!["value"],
    "old",
  )
})

test("a write whose change does not arrive fails with a clear error and is stored", async () => {
  const env = virtualEnv()
  const { clock } = env
  const { store, cut } = interruptible(env)
  await using t = await startTestRegistry({ env, store, clock })
  const signal = AbortSignal.timeout(60_000)
  cut()
  const write = t.client.create(
    configMap,
    { ...data("x"), metadata: { namespace: "default", name: "a" } } as never,
    { signal },
  )
  const failure = assert.rejects(
    write,
    /^StatusError: Timeout: revision \d+ of the store has not arrived here, which is at \d+$/,
  )
  await clock.advance(16_000)
  await failure
  assert.ok(await store.get("/registry/configmaps/default/a"))
})
