import assert from "node:assert/strict"
import { test } from "node:test"
import { badRequest, defineKind, schemaOf, type Kind, type KubeObject } from "@knarr/apimachinery"
import { deferred, type Deferred } from "@knarr/base"
import { request, type Answer } from "../endpoints/testing.ts"
import type { Converter } from "./converter.ts"
import { startTestRegistry, type TestRegistry } from "./testing.ts"

interface Lamp extends KubeObject {
  spec: { watts?: number; power?: string }
}

function lamp(version: string): Kind<Lamp> {
  const meta = schemaOf("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
  return defineKind<Lamp>({
    group: "example.com",
    version,
    kind: "Lamp",
    plural: "lamps",
    namespaced: true,
    schema: {
      type: "object",
      preserveUnknown: true,
      fields: new Map([["metadata", { name: "metadata", schema: meta, required: false }]]),
    },
    selectableFields: { "spec.power": ({ spec }) => spec.power ?? "" },
  })
}

const v1 = lamp("v1")
const v2 = lamp("v2")

/** As a webhook does it: later, a list at a time. */
class SlowConverter implements Converter {
  readonly waits = true
  /** The sizes of the batches so far. */
  readonly batches: number[] = []
  /** While set, conversions wait for it. */
  gate: Deferred<void> | undefined
  failure: Error | undefined

  async convert(objects: readonly KubeObject[], to: Kind): Promise<readonly KubeObject[]> {
    this.batches.push(objects.length)
    await this.gate?.promise
    if (this.failure) throw this.failure
    return (objects as Lamp[]).map((object) => {
      const { watts, power } = object.spec
      const spec = to === v1 ? { watts: watts ?? parseInt(power!, 10) } : { power: power ?? `${watts}W` }
      return { ...object, kind: to.kind, apiVersion: to.apiVersion, spec } as Lamp
    })
  }
}

async function start(): Promise<{ t: TestRegistry; converter: SlowConverter }> {
  const converter = new SlowConverter()
  const t = await startTestRegistry({ kinds: [] })
  await t.registry.addResource({ versions: [v1, v2], stored: v1, converter })
  return { t, converter }
}

const url = (version: string, rest = ""): string => `/apis/example.com/${version}/namespaces/d/lamps${rest}`

function create(t: TestRegistry, version: string, name: string, spec: Lamp["spec"]): Promise<Answer> {
  return request(t, "POST", url(version), { body: { metadata: { name }, spec } })
}

/** The events of a watch so far, as `TYPE name power`. */
const events = (watch: Answer): string[] =>
  watch.text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line))
    .map(({ type, object }) =>
      `${type} ${object.metadata?.name ?? object.message} ${object.spec?.power ?? ""}`.trim(),
    )

test("an object that is created in one version is read, listed, written and deleted in another", async () => {
  const { t, converter } = await start()
  await using _end = t
  assert.equal((await create(t, "v1", "a", { watts: 40 })).code, 201)
  assert.equal(converter.batches.length, 0, "the stored version needs no conversion")
  const made = await create(t, "v2", "b", { power: "60W" })
  assert.deepEqual(
    [made.code, made.json().apiVersion, made.json().spec],
    [201, "example.com/v2", { power: "60W" }],
  )
  const stored = await t.store.get("/registry/example.com/lamps/d/b")
  assert.match(Buffer.from(stored!.value).toString(), /"apiVersion":"example.com\/v1".*"spec":{"watts":60}/)

  assert.deepEqual((await request(t, "GET", url("v2", "/a"))).json().spec, { power: "40W" })
  const list = (await request(t, "GET", url("v2"))).json()
  assert.deepEqual(
    list.items.map(({ spec }: Lamp) => spec.power),
    ["40W", "60W"],
  )
  assert.deepEqual(
    (await t.client.list(v2, { namespace: "d" })).items.map(({ spec }) => spec.power),
    ["40W", "60W"],
  )
  const before = converter.batches.length
  await request(t, "GET", url("v2"))
  assert.equal(converter.batches.length, before, "a state is converted once")

  const headers = { "content-type": "application/merge-patch+json" }
  const patched = await request(t, "PATCH", url("v2", "/a"), { headers, body: { spec: { power: "75W" } } })
  assert.deepEqual([patched.code, patched.json().spec.power], [200, "75W"])
  assert.deepEqual((await request(t, "GET", url("v1", "/a"))).json().spec, { watts: 75 })
  assert.equal((await request(t, "DELETE", url("v2", "/a"))).code, 200)
  assert.equal((await request(t, "GET", url("v1", "/a"))).code, 404)
})

test("a list is converted slice by slice, and selected by fields of its own version", async () => {
  const { t, converter } = await start()
  await using _end = t
  const { cache } = t.registry.storage(v1)
  const puts = Array.from({ length: 1100 }, (_, i) => {
    const metadata = {
      name: `l${i}`,
      namespace: "d",
      uid: `u${i}`,
      creationTimestamp: "",
      resourceVersion: "",
    }
    const object = { kind: "Lamp", apiVersion: v1.apiVersion, metadata, spec: { watts: i } }
    return t.store.put(`${cache.prefix}d/l${i}`, cache.form.encode(object))
  })
  await Promise.all(puts)
  const list = (await request(t, "GET", url("v2"))).json()
  assert.equal(list.items.length, 1100)
  assert.deepEqual(converter.batches, [500, 500, 100])
  for (const query of ["?fieldSelector=spec.power%3D7W", "?fieldSelector=spec.power%3D7W&limit=5"]) {
    const found = (await request(t, "GET", url("v2", query))).json()
    assert.deepEqual(
      found.items.map(({ metadata }: Lamp) => metadata.name),
      ["l7"],
    )
  }
})

test("a watch keeps its order while objects are converted, and its selector is asked of what they become", async () => {
  const { t, converter } = await start()
  await using _end = t
  await create(t, "v1", "a", { watts: 1 })
  const all = await request(t, "GET", url("v2", "?watch=1"), { streaming: true })
  const some = await request(t, "GET", url("v2", "?watch=1&fieldSelector=spec.power%3D2W"), {
    streaming: true,
  })
  await t.clock.advance(1)
  assert.deepEqual(events(all), ["ADDED a 1W"])
  assert.deepEqual(events(some), [])
  converter.gate = deferred()
  const before = converter.batches.length
  await create(t, "v1", "b", { watts: 2 })
  const headers = { "content-type": "application/merge-patch+json" }
  await request(t, "PATCH", url("v1", "/a"), { headers, body: { spec: { watts: 2 } } })
  await request(t, "PATCH", url("v1", "/b"), { headers, body: { spec: { watts: 3 } } })
  await request(t, "DELETE", url("v1", "/a"))
  await t.clock.advance(1)
  assert.deepEqual(events(all), ["ADDED a 1W"], "nothing overtakes what is being converted")
  assert.equal(converter.batches.length, before + 1, "both watches wait for the same conversion")
  converter.gate.resolve()
  await t.clock.advance(1)
  assert.deepEqual(events(all), [
    "ADDED a 1W",
    "ADDED b 2W",
    "MODIFIED a 2W",
    "MODIFIED b 3W",
    "DELETED a 2W",
  ])
  assert.deepEqual(events(some), ["ADDED b 2W", "ADDED a 2W", "DELETED b 2W", "DELETED a 2W"])
  for (const watch of [all, some]) {
    watch.abort()
    await watch.done
  }
})

test("a converter that fails fails what asked it, and nothing else", async () => {
  const { t, converter } = await start()
  await using _end = t
  await create(t, "v1", "a", { watts: 1 })
  const watch = await request(t, "GET", url("v2", "?watch=1&resourceVersion=2"), { streaming: true })
  const stored = await request(t, "GET", url("v1", "?watch=1&resourceVersion=2"), { streaming: true })
  await t.clock.advance(1)
  converter.failure = badRequest("conversion webhook failed: no")
  for (const answer of [
    await request(t, "GET", url("v2", "/a")),
    await request(t, "GET", url("v2")),
    await create(t, "v2", "x", { power: "1W" }),
  ])
    assert.deepEqual([answer.code, answer.json().message], [400, "conversion webhook failed: no"])
  assert.equal((await create(t, "v1", "b", { watts: 2 })).code, 201)
  await t.clock.advance(1)
  await watch.done
  assert.deepEqual(events(watch), ["ERROR conversion webhook failed: no"])
  assert.deepEqual(events(stored), ["ADDED b"])
  assert.equal((await request(t, "GET", url("v1"))).json().items.length, 2)

  converter.failure = undefined
  assert.deepEqual((await request(t, "GET", url("v2", "/a"))).json().spec, { power: "1W" })
  stored.abort()
  await stored.done
})

test("objects that are stored in a former version are kept in it until they are written", async () => {
  const converter = new SlowConverter()
  const t = await startTestRegistry({ kinds: [] })
  await t.registry.addResource({ versions: [v1], stored: v1 })
  await create(t, "v1", "a", { watts: 40 })
  t.registry.removeKind(v1)
  await t.registry.addResource({ versions: [v2], stored: v2, former: [v1], converter })
  await using _end = t
  assert.deepEqual((await request(t, "GET", url("v2", "/a"))).json().spec, { power: "40W" })
  const same = (await request(t, "GET", url("v2", "/a"))).json()
  assert.equal((await request(t, "PUT", url("v2", "/a"), { body: same })).code, 200)
  const before = converter.batches.length
  assert.deepEqual((await request(t, "GET", url("v2", "/a"))).json().spec, { power: "40W" })
  assert.equal(converter.batches.length, before)
})
