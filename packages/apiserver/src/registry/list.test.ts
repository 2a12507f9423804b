import assert from "node:assert/strict"
import { test } from "node:test"
import { configMap, secret, type ConfigMap, type Secret } from "@knarr/api"
import { isExpired, statusOf, type StatusError } from "@knarr/apimachinery"
import type { ListOptions } from "@knarr/client"
import { startTestRegistry, type TestRegistry } from "./testing.ts"

const ns = "default"

function cm(name: string, namespace = ns): ConfigMap {
  return {
    metadata: { name, namespace, labels: { odd: String(Number(name.slice(1)) % 2) } },
  } as unknown as ConfigMap
}

async function fill(t: TestRegistry, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await t.client.create(configMap, cm(`c${i}`))
}

async function names(t: TestRegistry, options: ListOptions): Promise<string[]> {
  return (await t.client.list(configMap, options)).items.map((item) => item.metadata.name)
}

test("pages are those of the first page's moment", async () => {
  await using t = await startTestRegistry()
  await fill(t, 5)
  const first = await t.client.list(configMap, { namespace: ns, limit: 2 })
  assert.deepEqual(
    first.items.map((item) => item.metadata.name),
    ["c0", "c1"],
  )
  assert.equal(first.metadata.remainingItemCount, 3)
  const token = JSON.parse(Buffer.from(first.metadata.continue!, "base64url").toString())
  assert.deepEqual(token, { v: "meta.k8s.io/v1", rv: 6, start: "c1\u0000" })
  await t.client.delete(configMap, { namespace: ns, name: "c3" })
  await t.client.create(configMap, cm("c25"))
  const second = await t.client.list(configMap, {
    namespace: ns,
    limit: 2,
    continue: first.metadata.continue,
  })
  assert.deepEqual(
    second.items.map((item) => item.metadata.name),
    ["c2", "c3"],
  )
  assert.equal(second.metadata.resourceVersion, "6")
  assert.equal(second.metadata.remainingItemCount, 1)
  const third = await t.client.list(configMap, {
    namespace: ns,
    limit: 2,
    continue: second.metadata.continue,
  })
  assert.deepEqual(
    third.items.map((item) => item.metadata.name),
    ["c4"],
  )
  assert.equal(third.metadata.continue, undefined)
  assert.equal(third.items[0], await t.client.get(configMap, { namespace: ns, name: "c4" }))
})

test("an expired token offers one that goes on with what is there", async () => {
  await using t = await startTestRegistry()
  await fill(t, 4)
  const first = await t.client.list(configMap, { limit: 2 })
  await t.client.create(configMap, cm("c9"))
  await t.store.compact(6)
  let error: StatusError | undefined
  try {
    await t.client.list(configMap, { limit: 2, continue: first.metadata.continue })
  } catch (thrown) {
    error = thrown as StatusError
  }
  assert.ok(isExpired(error))
  assert.match(
    error!.message,
    /^The provided continue parameter is too old to display a consistent list result\./,
  )
  const fresh = statusOf(error)!.metadata.continue!
  assert.deepEqual(await names(t, { continue: fresh }), ["c2", "c3", "c9"])
})

test("a compacted token expires even when the resource has not changed since", async () => {
  await using t = await startTestRegistry()
  await fill(t, 4)
  const first = await t.client.list(configMap, { limit: 2 })
  const next = { limit: 2, continue: first.metadata.continue }
  await t.client.create(secret, { metadata: { name: "other", namespace: ns } } as unknown as Secret)
  assert.deepEqual(await names(t, next), ["c2", "c3"])
  await t.store.compact(t.store.revision)
  await assert.rejects(t.client.list(configMap, next), isExpired)
})

test("selectors fill pages with what matches", async () => {
  await using t = await startTestRegistry()
  await fill(t, 9)
  const first = await t.client.list(configMap, { labelSelector: "odd=1", limit: 2 })
  assert.deepEqual(
    first.items.map((item) => item.metadata.name),
    ["c1", "c3"],
  )
  assert.equal(first.metadata.remainingItemCount, undefined)
  assert.deepEqual(await names(t, { labelSelector: "odd=1", limit: 5, continue: first.metadata.continue }), [
    "c5",
    "c7",
  ])
})

test("exact and least revisions", async () => {
  await using t = await startTestRegistry()
  await fill(t, 3)
  assert.deepEqual(await names(t, { resourceVersion: "3", resourceVersionMatch: "Exact" }), ["c0", "c1"])
  assert.deepEqual(await names(t, { resourceVersion: "3", resourceVersionMatch: "NotOlderThan" }), [
    "c0",
    "c1",
    "c2",
  ])
  const future = t.client.list(configMap, { resourceVersion: "99", resourceVersionMatch: "NotOlderThan" })
  const failed = future.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  await t.clock.advance(3000)
  assert.equal(((await failed) as Error).message, "Timeout: Too large resource version: 99, current: 4")
})

test("namespaces are walked in order, and a namespace alone", async () => {
  await using t = await startTestRegistry()
  for (const namespace of ["b", "a", "a-b"]) await t.client.create(configMap, cm("c1", namespace))
  const { items } = await t.client.list(configMap)
  assert.deepEqual(
    items.map((item) => item.metadata.namespace),
    ["a-b", "a", "b"],
  )
  assert.deepEqual(await names(t, { namespace: "a" }), ["c1"])
})

test("malformed lists are refused", async () => {
  await using t = await startTestRegistry()
  const cases: [ListOptions, string][] = [
    [{ labelSelector: "a in" }, ""],
    [
      { continue: "x!" },
      "invalid continue token: continue key is not valid: illegal base64 data at input byte 1",
    ],
    [
      { resourceVersionMatch: "Exact" },
      'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided',
    ],
    [
      { resourceVersion: "x" },
      'invalid resource version: resourceVersion: Invalid value: "x": strconv.ParseUint: parsing "x": invalid syntax',
    ],
  ]
  for (const [options, message] of cases) {
    await assert.rejects(t.client.list(configMap, options), (thrown: Error) => {
      if (message !== "") assert.equal(thrown.message, message)
      return true
    })
  }
})
