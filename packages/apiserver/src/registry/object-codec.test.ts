import assert from "node:assert/strict"
import { test } from "node:test"
import {
  encodeStored,
  insertRevision,
  objectPrefix,
  prefixLength,
  replaceRevision,
  sameContent,
} from "./object-codec.ts"

test("a resourceVersion is put in, changed and left out without encoding again", () => {
  const obj = {
    kind: "Pod",
    apiVersion: "v1",
    metadata: { name: "ä", resourceVersion: "old", uid: "u", creationTimestamp: "" },
    spec: { x: '"metadata":{' },
  }
  const stored = encodeStored(obj)
  const prefix = prefixLength(stored)
  assert.equal(stored.subarray(0, prefix).toString(), objectPrefix("Pod", "v1"))
  const served = insertRevision(stored, 7, undefined)
  assert.deepEqual(JSON.parse(served.toString()), {
    ...obj,
    metadata: { ...obj.metadata, resourceVersion: "7" },
  })
  const later = replaceRevision(served, prefix, 12345)
  assert.equal(JSON.parse(later.toString()).metadata.resourceVersion, "12345")
  assert.ok(sameContent(later, prefix, stored))
  assert.ok(!sameContent(later, prefix, encodeStored({ ...obj, spec: { x: "y" } } as never)))
  const bare = encodeStored({ kind: "K", apiVersion: "g/v1", metadata: {} } as never)
  assert.equal(
    insertRevision(bare, 1, undefined).toString(),
    '{"kind":"K","apiVersion":"g/v1","metadata":{"resourceVersion":"1"}}',
  )
  assert.equal(insertRevision(bare, 0, undefined), bare)
  assert.equal(
    insertRevision(bare, 0, 'a"ü').toString(),
    '{"kind":"K","apiVersion":"g/v1","metadata":{"resourceVersion":"a\\"ü"}}',
  )
})
