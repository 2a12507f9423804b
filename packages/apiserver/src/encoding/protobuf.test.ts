/** The whole table of forms is in the recorded vectors of `tools/diff` (content), the bytes of every kind in `packages/api`. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { decodeProtobuf, openProtobufEnvelope, type Schema, schemaOf } from "@knarr/apimachinery"
import { WireReader } from "@knarr/base"
import { request, type Answer } from "../endpoints/testing.ts"
import { startTestRegistry } from "../registry/testing.ts"

const mediaType = "application/vnd.kubernetes.protobuf"
const maps = "/api/v1/namespaces/d/configmaps"
const configMap = schemaOf("io.k8s.api.core.v1.ConfigMap")
const bytesOf = (answer: Answer): Buffer => Buffer.concat([...answer.chunks])

function open(schema: Schema, bytes: Buffer): { readonly type: string; readonly object: any } {
  const { apiVersion, kind, raw } = openProtobufEnvelope(bytes)
  return { type: `${apiVersion} ${kind}`, object: decodeProtobuf(schema, raw) }
}

test("a list is the same as its JSON, however many slices it has", async () => {
  await using t = await startTestRegistry()
  const names = Array.from({ length: 30 }, (_, i) => `m${String(i).padStart(2, "0")}`)
  for (const name of names)
    await request(t, "POST", maps, { body: { metadata: { name }, data: { x: name.repeat(10_000) } } })
  for (let asked = 0; asked < 2; asked++) {
    const answer = await request(t, "GET", maps, { headers: { accept: mediaType } })
    const { type, object } = open(schemaOf("io.k8s.api.core.v1.ConfigMapList"), bytesOf(answer))
    assert.equal(type, "v1 ConfigMapList")
    assert.deepEqual(
      object.items.map(({ metadata, data }: any) => [metadata.name, data.x.length]),
      names.map((name) => [name, 30_000]),
    )
    assert.equal(object.metadata.resourceVersion, "31")
  }
  await request(t, "PUT", `${maps}/m07`, { body: { metadata: { name: "m07" }, data: { x: "new" } } })
  const page = await request(t, "GET", `${maps}?limit=8`, { headers: { accept: mediaType } })
  const { object } = open(schemaOf("io.k8s.api.core.v1.ConfigMapList"), bytesOf(page))
  assert.deepEqual([object.items[7].data.x, object.metadata.remainingItemCount], ["new", 22])
})

test("a watch has an event in each frame, a failure too", async () => {
  await using t = await startTestRegistry()
  const events = (answer: Answer): { type: string; object: Buffer }[] => {
    const bytes = bytesOf(answer)
    const out = []
    for (let at = 0; at < bytes.length;) {
      const end = at + 4 + bytes.readUInt32BE(at)
      const reader = new WireReader(bytes, at + 4, end)
      let type = ""
      let object: Buffer = Buffer.alloc(0)
      while (reader.next()) {
        if (reader.number === 1) type = reader.string()
        else {
          const raw = reader.message()
          while (raw.next()) object = raw.bytes()
        }
      }
      out.push({ type, object })
      at = end
    }
    return out
  }
  const watch = (query: string): Promise<Answer> =>
    request(t, "GET", `${maps}?watch=1&${query}`, { headers: { accept: mediaType }, streaming: true })
  const live = await watch("resourceVersion=1")
  await request(t, "POST", maps, { body: { metadata: { name: "a" }, data: { a: "b" } } })
  await request(t, "DELETE", `${maps}/a`)
  await t.clock.advance(1)
  assert.equal(live.type, `${mediaType};stream=watch`)
  assert.deepEqual(
    events(live).map(({ type, object }) => [type, open(configMap, object).object.data]),
    [
      ["ADDED", { a: "b" }],
      ["DELETED", { a: "b" }],
    ],
  )
  t.registry.forgetHistory(3)
  await t.store.compact(3)
  const late = await watch("resourceVersion=1")
  await t.clock.advance(1)
  const [failure] = events(late)
  const status = open(schemaOf("io.k8s.apimachinery.pkg.apis.meta.v1.Status"), failure!.object)
  assert.deepEqual([failure!.type, status.type, status.object.code], ["ERROR", "v1 Status", 410])
  for (const one of [live, late]) {
    one.abort()
    await one.done
  }
})
