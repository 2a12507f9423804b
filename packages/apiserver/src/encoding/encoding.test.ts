import assert from "node:assert/strict"
import { test } from "node:test"
import { openProtobufEnvelope } from "@knarr/apimachinery"
import { WireReader, WireWriter } from "@knarr/base"
import { request, type Answer } from "../endpoints/testing.ts"
import { startTestRegistry, type TestRegistry } from "../registry/testing.ts"
import { type Content, type DocumentType, type Encoding, type ListEncoding, valueOf } from "./encoding.ts"
import { Encodings } from "./encodings.ts"
import { json } from "./json.ts"
import { yaml } from "./yaml.ts"

/*
 * A second encoding, laid out as protobuf is: an envelope (`runtime.Unknown`) that says the length of what is in it, lists
 * whose items are fields of their own, watch events behind their length. Only the objects themselves are JSON here.
 */
const mediaType = "application/vnd.example.envelope"
const magic = Buffer.from("k8s\0", "latin1")

const jsonOf = (content: Content): Buffer => Buffer.from(JSON.stringify(valueOf(content)))

/** Fields 1 and 2 of the envelope, but for the bytes of the second. */
function envelopeStart({ apiVersion, kind }: DocumentType, rawBytes: number): Buffer {
  const writer = new WireWriter()
  writer.tag(1, 2)
  writer.delimited(() => {
    writer.tag(1, 2)
    writer.string(apiVersion)
    writer.tag(2, 2)
    writer.string(kind)
  })
  writer.tag(2, 2)
  writer.int64(rawBytes)
  return Buffer.concat([magic, writer.finish()])
}

function fieldStart(number: number, bytes: number): Buffer {
  const writer = new WireWriter()
  writer.tag(number, 2)
  writer.int64(bytes)
  return Buffer.from(writer.finish())
}

function document(content: Content, type: DocumentType): Buffer {
  const raw = jsonOf(content)
  return Buffer.concat([envelopeStart(type, raw.length), raw])
}

const nothing = Buffer.alloc(0)
const envelope: Encoding = {
  name: "envelope",
  mediaType,
  document,
  list(shown, metadata): ListEncoding {
    const head = jsonOf(shown.list(metadata).fields)
    const headField = Buffer.concat([fieldStart(1, head.length), head])
    return {
      sized: true,
      begin: (items) =>
        Buffer.concat([envelopeStart(shown.listType, headField.length + items!.bytes), headField]),
      open: nothing,
      separator: nothing,
      item(object) {
        const bytes = jsonOf(shown.item(object))
        return Buffer.concat([fieldStart(2, bytes.length), bytes])
      },
      itemFrom: 0,
      end: () => nothing,
    }
  },
  watch: {
    mediaType: `${mediaType};stream=watch`,
    event(type, content, of) {
      const inner = document(content, of)
      const frame = Buffer.concat([fieldStart(1, type.length), Buffer.from(type), inner])
      const length = Buffer.alloc(4)
      length.writeUInt32BE(frame.length)
      return Buffer.concat([length, frame])
    },
  },
}

const encodings = new Encodings([json, yaml, envelope])

const get = (t: TestRegistry, url: string, accept = mediaType): Promise<Answer> =>
  request(t, "GET", url, { encodings, headers: { accept } })

const bytesOf = (answer: Answer): Buffer => Buffer.concat([...answer.chunks])

function open(bytes: Buffer): { type: string; raw: Buffer } {
  const { apiVersion, kind, raw } = openProtobufEnvelope(bytes)
  return { type: `${apiVersion} ${kind}`, raw }
}

function openList(bytes: Buffer): { type: string; head: any; items: any[] } {
  const { type, raw } = open(bytes)
  const reader = new WireReader(raw)
  let head: unknown
  const items: unknown[] = []
  while (reader.next()) {
    const value: unknown = JSON.parse(reader.bytes().toString())
    if (reader.number === 1) head = value
    else items.push(value)
  }
  return { type, head, items }
}

function openEvents(bytes: Buffer): { type: string; of: string; object: any }[] {
  const events = []
  for (let at = 0; at < bytes.length;) {
    const end = at + 4 + bytes.readUInt32BE(at)
    const typeLength = bytes[at + 5]!
    const start = at + 6 + typeLength
    const { type: of, raw } = open(bytes.subarray(start, end))
    const type = bytes.toString("latin1", at + 6, start)
    events.push({ type, of, object: JSON.parse(raw.toString()) })
    at = end
  }
  return events
}

const pods = "/api/v1/namespaces/d/configmaps"
const table = `${mediaType};as=Table;v=v1;g=meta.k8s.io`
const metadataOnly = `${mediaType};as=PartialObjectMetadata;v=v1;g=meta.k8s.io`
const metadataList = `${mediaType};as=PartialObjectMetadataList;v=v1;g=meta.k8s.io`

async function withTwo(run: (t: TestRegistry) => Promise<void>): Promise<void> {
  await using t = await startTestRegistry()
  for (const name of ["a", "b"])
    await request(t, "POST", pods, { body: { metadata: { name }, data: { name } } })
  await run(t)
}

test("an object, its metadata and its table are answered in a second encoding", () =>
  withTwo(async (t) => {
    const plain = await get(t, `${pods}/a`)
    assert.equal(plain.type, mediaType)
    const { type, raw } = open(bytesOf(plain))
    assert.equal(type, "v1 ConfigMap")
    assert.deepEqual(JSON.parse(raw.toString()), (await request(t, "GET", `${pods}/a`)).json())
    assert.equal(
      open(bytesOf(await get(t, `${pods}/a`, metadataOnly))).type,
      "meta.k8s.io/v1 PartialObjectMetadata",
    )
    const rows = JSON.parse(open(bytesOf(await get(t, `${pods}/a`, table))).raw.toString()).rows
    assert.equal(rows[0].cells[0], "a")
    const made = await request(t, "POST", pods, {
      encodings,
      headers: { accept: mediaType },
      body: { metadata: { name: "c" } },
    })
    assert.deepEqual([made.code, open(bytesOf(made)).type], [201, "v1 ConfigMap"])
  }))

test("a list whose beginning says its length is sent in a second encoding", () =>
  withTwo(async (t) => {
    const list = openList(bytesOf(await get(t, pods)))
    assert.equal(list.type, "v1 ConfigMapList")
    assert.deepEqual(list.head.metadata, { resourceVersion: "3" })
    assert.deepEqual(
      list.items.map(({ data }) => data.name),
      ["a", "b"],
    )
    assert.deepEqual(openList(bytesOf(await get(t, `${pods}?labelSelector=x`))).items, [])
    const rows = openList(bytesOf(await get(t, pods, table)))
    assert.deepEqual(
      [rows.type, rows.items.map(({ cells }) => cells[0])],
      ["meta.k8s.io/v1 Table", ["a", "b"]],
    )
    const metadata = openList(bytesOf(await get(t, pods, metadataList)))
    assert.deepEqual(Object.keys(metadata.items[0]), ["kind", "apiVersion", "metadata"])
  }))

test("a watch in a second encoding has frames of its own, failures too", () =>
  withTwo(async (t) => {
    const watch = (accept: string, query = ""): Promise<Answer> =>
      request(t, "GET", `${pods}?watch=1${query}`, { encodings, headers: { accept }, streaming: true })
    const own = await watch(
      `${mediaType};stream=watch`,
      "&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan",
    )
    const lines = await watch("application/json;stream=watch")
    await t.clock.advance(1)
    await request(t, "DELETE", `${pods}/a`)
    await t.clock.advance(1)
    assert.equal(own.type, `${mediaType};stream=watch`)
    const events = openEvents(bytesOf(own))
    assert.deepEqual(
      events.map(({ type, of, object }) => [type, of, object.metadata.name]),
      [
        ["ADDED", "v1 ConfigMap", "a"],
        ["ADDED", "v1 ConfigMap", "b"],
        ["BOOKMARK", "v1 ConfigMap", undefined],
        ["DELETED", "v1 ConfigMap", "a"],
      ],
    )
    const last = JSON.parse(lines.text.trim().split("\n").at(-1)!)
    assert.deepEqual(last.object, events.at(-1)!.object)
    t.registry.forgetHistory(4)
    await t.store.compact(4)
    const late = await watch(`${mediaType};stream=watch`, "&resourceVersion=1")
    await t.clock.advance(1)
    const [failure] = openEvents(bytesOf(late))
    assert.deepEqual([failure!.type, failure!.of, failure!.object.code], ["ERROR", "v1 Status", 410])
    for (const one of [own, lines, late]) {
      one.abort()
      await one.done
    }
  }))

test("failures are told in the encoding that the client takes, and who takes none is told which there are", () =>
  withTwo(async (t) => {
    const missing = await get(t, `${pods}/x`)
    const { type, raw } = open(bytesOf(missing))
    assert.deepEqual([missing.code, missing.type, type], [404, mediaType, "v1 Status"])
    assert.equal(JSON.parse(raw.toString()).message, 'configmaps "x" not found')
    const inYaml = await get(t, `${pods}/x`, "application/yaml")
    assert.match(inYaml.text, /^apiVersion: v1\n[^]*kind: Status\n/)
    const none = await get(t, pods, "text/html")
    assert.deepEqual(
      [none.code, none.json().message],
      [
        406,
        "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, " +
          `${mediaType}, application/json;stream=watch, ${mediaType};stream=watch`,
      ],
    )
    const watch = await get(t, `${pods}?watch=1`, "application/yaml")
    assert.equal(watch.code, 406)
  }))
