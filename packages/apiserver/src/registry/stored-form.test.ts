import assert from "node:assert/strict"
import { test } from "node:test"
import { defineKind, schemaOf, type Field, type Kind, type KubeObject } from "@knarr/apimachinery"
import type { Store } from "@knarr/store"
import { request } from "../endpoints/testing.ts"
import { startTestRegistry, type TestRegistry } from "./testing.ts"

interface Widget extends KubeObject {
  spec: { size?: number; color?: string; width?: number; obsolete?: string }
}

const field = (name: string, type: "string" | "integer", value?: unknown): Field => ({
  name,
  schema: { type },
  required: false,
  ...(value === undefined ? {} : { default: value }),
})

/** A kind as a release declares it. */
function widget(version: string, fields: readonly Field[], more: Partial<Kind<Widget>> = {}): Kind<Widget> {
  const part = (name: string, schema: Field["schema"]): [string, Field] => [
    name,
    { name, schema, required: false },
  ]
  return defineKind<Widget>({
    group: "example.com",
    version,
    kind: "Widget",
    plural: "widgets",
    rules: "structural",
    namespaced: true,
    schema: {
      type: "object",
      fields: new Map([
        part("apiVersion", { type: "string" }),
        part("kind", { type: "string" }),
        part("metadata", schemaOf("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")),
        part("spec", { type: "object", fields: new Map(fields.map((one) => [one.name, one])) }),
      ]),
    },
    ...(more.storedAs ? { storedAs: more.storedAs } : {}),
    ...(more.toStored ? { toStored: more.toStored } : {}),
    ...(more.fromStored ? { fromStored: more.fromStored } : {}),
    ...(more.setDefaults ? { setDefaults: more.setDefaults } : {}),
    ...(more.form === undefined ? {} : { form: more.form }),
  })
}

const size = field("size", "integer")
const first = widget("v1", [size, field("obsolete", "string")])
const path = "/registry/example.com/widgets/d/"
const url = (version: string, name = ""): string =>
  `/apis/example.com/${version}/namespaces/d/widgets${name && `/${name}`}`

async function create(
  t: TestRegistry,
  kind: Kind<Widget>,
  name: string,
  spec: Widget["spec"],
): Promise<void> {
  await t.client.create(kind, { metadata: { name, namespace: "d" }, spec } as never)
}

async function storedText(store: Store, name: string): Promise<string> {
  return Buffer.from((await store.get(path + name))!.value).toString()
}

/** A store in which an earlier release has left widgets. */
async function leftBy(kind: Kind<Widget>, specs: Record<string, Widget["spec"]>): Promise<Store> {
  const t = await startTestRegistry({ kinds: [kind] })
  for (const [name, spec] of Object.entries(specs)) await create(t, kind, name, spec)
  await t.scope.close()
  return t.store
}

test("what is in the present form is served as it is stored", async () => {
  const store = await leftBy(first, { a: { size: 1, obsolete: "x" } })
  await using t = await startTestRegistry({ store, kinds: [first] })
  const served = (await request(t, "GET", url("v1", "a"))).text
  assert.match(await storedText(store, "a"), /}\n[\w-]{8}$/)
  assert.equal(
    served.replace('"resourceVersion":"2",', ""),
    (await storedText(store, "a")).replace(/\n.*$/, ""),
  )
  assert.equal(t.registry.storage(first).cache.get("d/a")!.stale, false)
})

const releases: { name: string; kind: Kind<Widget>; spec: Widget["spec"] }[] = [
  {
    name: "a field with a default in its shape",
    kind: widget("v1", [size, field("obsolete", "string"), field("color", "string", "blue")]),
    spec: { size: 1, obsolete: "x", color: "blue" },
  },
  {
    name: "a default that depends on other fields",
    kind: widget("v1", [size, field("obsolete", "string"), field("width", "integer")], {
      setDefaults: ({ spec }) => void (spec.width ??= spec.size! * 2),
      form: 1,
    }),
    spec: { size: 1, obsolete: "x", width: 2 },
  },
  { name: "no longer a field", kind: widget("v1", [size]), spec: { size: 1 } },
]
for (const { name, kind, spec } of releases) {
  test(`an object that a release stored is read as the next one has it: ${name}`, async () => {
    const store = await leftBy(first, { a: { size: 1, obsolete: "x" } })
    const before = await storedText(store, "a")
    await using t = await startTestRegistry({ store, kinds: [kind] })
    assert.deepEqual((await request(t, "GET", url("v1", "a"))).json().spec, spec)
    assert.deepEqual((await request(t, "GET", url("v1"))).json().items[0].spec, spec)
    const watch = await request(t, "GET", `${url("v1")}?watch=1&resourceVersion=1`, { streaming: true })
    await t.clock.advance(1)
    assert.deepEqual(JSON.parse(watch.text.split("\n")[0]!).object.spec, spec)
    watch.abort()
    await watch.done
    assert.equal(await storedText(store, "a"), before, "reading writes nothing")

    // Its next write, of nothing else, brings it into the present form.
    const same = (await request(t, "GET", url("v1", "a"))).json()
    assert.equal((await request(t, "PUT", url("v1", "a"), { body: same })).code, 200)
    assert.equal((await request(t, "PUT", url("v1", "a"), { body: same })).code, 409)
    assert.deepEqual(JSON.parse((await storedText(store, "a")).replace(/\n.*$/, "")).spec, spec)
    assert.equal(t.registry.storage(kind).cache.get("d/a")!.stale, false)
    const again = (await request(t, "GET", url("v1", "a"))).json()
    await request(t, "PUT", url("v1", "a"), { body: again })
    assert.equal(
      t.registry.storage(kind).cache.get("d/a")!.revision,
      Number(again.metadata.resourceVersion),
      "a write of the same in the present form is none",
    )
  })
}

test("objects stay readable when the stored version changes, each in every version", async () => {
  const store = await leftBy(first, { a: { size: 3 }, b: { size: 4 } })
  const second = widget("v2", [field("width", "integer"), field("color", "string", "blue")])
  const old = widget("v1", [size], {
    storedAs: () => second,
    toStored: ({ spec, ...rest }) => ({ ...rest, spec: { width: spec.size } }) as Widget,
    fromStored: ({ spec, ...rest }: any) => ({ ...rest, spec: { size: spec.width } }) as Widget,
  })
  await using t = await startTestRegistry({ store, kinds: [old, second] })
  assert.deepEqual((await request(t, "GET", url("v2", "a"))).json().spec, { width: 3, color: "blue" })
  const list = (await request(t, "GET", url("v1"))).json()
  assert.deepEqual(
    list.items.map(({ apiVersion, spec }: Widget) => [apiVersion, spec]),
    [
      ["example.com/v1", { size: 3 }],
      ["example.com/v1", { size: 4 }],
    ],
  )
  const headers = { "content-type": "application/merge-patch+json" }
  const patched = await request(t, "PATCH", url("v1", "a"), { headers, body: { spec: { size: 5 } } })
  assert.equal(patched.code, 200)
  assert.match(await storedText(store, "a"), /"apiVersion":"example.com\/v2".*"width":5/)
  assert.match(await storedText(store, "b"), /"apiVersion":"example.com\/v1".*"size":4/)
})

test("the history of a resource is read like its present", async () => {
  const store = await leftBy(first, { a: { size: 1 }, b: { size: 2 } })
  const { kind } = releases[0]!
  await using t = await startTestRegistry({ store, kinds: [kind] })
  await t.client.delete(kind, { namespace: "d", name: "a" })
  const exact = await request(t, "GET", `${url("v1")}?resourceVersion=2&resourceVersionMatch=Exact`)
  assert.deepEqual(
    exact.json().items.map(({ spec }: Widget) => spec),
    [{ size: 1, color: "blue" }],
  )
  const watch = await request(t, "GET", `${url("v1")}?watch=1&resourceVersion=2`, { streaming: true })
  await t.clock.advance(1)
  const events = watch.text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
  assert.deepEqual(
    events.map(({ type, object }) => [type, object.metadata.name, object.spec.color]),
    [
      ["ADDED", "b", "blue"],
      ["DELETED", "a", "blue"],
    ],
  )
  watch.abort()
  await watch.done
})

test("an object that cannot be read stops no other, and nothing takes its place", async () => {
  const store = await leftBy(first, { a: { size: 1 }, b: { size: 2 }, c: { size: 3 } })
  const good = await storedText(store, "b")
  await store.put(`${path}a`, Buffer.from("{"))
  await store.put(
    `${path}b`,
    Buffer.from(good.replace("example.com/v1", "example.com/v0").replace(/\n.*/, "")),
  )
  await using t = await startTestRegistry({ store, kinds: [first] })
  const names = async (): Promise<string[]> =>
    (await request(t, "GET", url("v1"))).json().items.map(({ metadata }: Widget) => metadata.name)
  assert.deepEqual(await names(), ["c"])
  const answer = await request(t, "GET", url("v1", "b"))
  assert.deepEqual(
    [answer.code, answer.json().message],
    [500, `Internal error occurred: the object at ${path}b of the store cannot be read`],
  )
  await assert.rejects(create(t, first, "b", {}), /of the store cannot be read/)

  await store.put(`${path}b`, Buffer.from(good))
  await store.put(`${path}c`, Buffer.from('{"kind":"Widget"}'))
  await t.clock.advance(1)
  assert.deepEqual(await names(), ["b"])
  await store.delete(`${path}c`)
  await t.clock.advance(1)
  await create(t, first, "c", { size: 5 })
  assert.deepEqual(await names(), ["b", "c"])
})
