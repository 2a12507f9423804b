/** What the published release answers for an object of every kind, in JSON and in protobuf (`tools/reference/record-protobuf.ts`). */
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "node:test"
import { gunzipSync } from "node:zlib"
import {
  decodeObject,
  decodeProtobuf,
  encodeProtobufDocument,
  type KubeObject,
  openProtobufEnvelope,
} from "@knarr/apimachinery"
import { kinds } from "./index.ts"

const file = join(import.meta.dirname, "../testdata/protobuf.json.gz")
const recorded = JSON.parse(gunzipSync(readFileSync(file)).toString()) as readonly {
  readonly json: KubeObject
  readonly protobuf: string
}[]

/** Objects in an object do not say their type in protobuf; defaulting does it again. */
function withoutInnerTypes(json: KubeObject): unknown {
  const copy: any = structuredClone(json)
  for (const claim of copy.spec?.volumeClaimTemplates ?? []) {
    delete claim.kind
    delete claim.apiVersion
  }
  return copy
}

describe("protobuf", () => {
  it("is there of every kind that is stored", () => {
    const types = new Set(recorded.map(({ json }) => `${json.apiVersion} ${json.kind}`))
    const missing = kinds.filter(
      ({ verbs, apiVersion, kind }) => verbs.includes("update") && !types.has(`${apiVersion} ${kind}`),
    )
    assert.deepEqual(
      missing.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`),
      [],
    )
  })

  for (const { json, protobuf } of recorded) {
    const { apiVersion, kind } = json
    const { schema } = kinds.find((one) => one.apiVersion === apiVersion && one.kind === kind)!
    const bytes = Buffer.from(protobuf, "base64")
    it(`of a ${kind} of ${apiVersion} is written as Go writes it`, () => {
      assert.equal(encodeProtobufDocument(schema, json, json).toString("hex"), bytes.toString("hex"))
    })
    it(`of a ${kind} of ${apiVersion} is read as its JSON is`, () => {
      const { raw, ...type } = openProtobufEnvelope(bytes)
      const { object } = decodeObject<KubeObject>(schema, { ...type, ...decodeProtobuf(schema, raw) })
      assert.deepEqual(object, decodeObject(schema, withoutInnerTypes(json)).object)
    })
  }
})
