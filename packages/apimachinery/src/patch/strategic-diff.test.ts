import assert from "node:assert/strict"
import { test } from "node:test"
import "../../../api/src/schemas.gen.ts"
import { schemaOf } from "../schema.ts"
import { createThreeWayMergePatch as createThreeWayJSON } from "./merge-patch.ts"
import { PatchError } from "./patch-error.ts"
import { applyStrategicMergePatch } from "./strategic.ts"
import { createThreeWayMergePatch, createTwoWayMergePatch } from "./strategic-diff.ts"

const schema = schemaOf("io.k8s.api.core.v1.Pod")
const pod = (...containers: object[]) => ({ spec: { containers } })
const a = { name: "a", image: "a" }
const b = { name: "b", image: "b" }

test("two-way patch deletes, adds and orders list items, and applies to the modified object", () => {
  const modified = pod({ name: "c", image: "c" }, { ...a, image: "a2" })
  const patch = createTwoWayMergePatch(pod(a, b), modified, schema)
  assert.deepEqual(patch, {
    spec: {
      "$setElementOrder/containers": [{ name: "c" }, { name: "a" }],
      containers: [
        { name: "c", image: "c" },
        { image: "a2", name: "a" },
        { $patch: "delete", name: "b" },
      ],
    },
  })
  assert.deepEqual(applyStrategicMergePatch(schema, pod(a, b), patch), modified)
})

test("two-way patch of a list of primitives and of retained keys", () => {
  assert.deepEqual(
    createTwoWayMergePatch(
      { metadata: { finalizers: ["x", "y"] }, spec: { volumes: [{ name: "v", emptyDir: {} }] } },
      { metadata: { finalizers: ["y", "z"] }, spec: { volumes: [{ name: "v", secret: {} }] } },
      schema,
    ),
    {
      metadata: {
        finalizers: ["z"],
        "$deleteFromPrimitiveList/finalizers": ["x"],
        "$setElementOrder/finalizers": ["y", "z"],
      },
      spec: {
        "$setElementOrder/volumes": [{ name: "v" }],
        volumes: [{ $retainKeys: ["name", "secret"], emptyDir: null, name: "v", secret: {} }],
      },
    },
  )
})

test("three-way patch leaves what others set and deletes what was applied", () => {
  const patch = createThreeWayMergePatch(
    { metadata: { labels: { gone: "1", kept: "1" } } },
    { metadata: { labels: { kept: "2" } } },
    { metadata: { labels: { gone: "1", kept: "1", other: "1" } } },
    schema,
    true,
  )
  assert.deepEqual(patch, { metadata: { labels: { gone: null, kept: "2" } } })
})

test("three-way patches report conflicts when they may not overwrite", () => {
  assert.throws(
    () =>
      createThreeWayMergePatch(
        pod(a),
        pod({ ...a, image: "mine" }),
        pod({ ...a, image: "theirs" }),
        schema,
        false,
      ),
    (thrown: unknown) => thrown instanceof PatchError && thrown.kind === "conflict",
  )
  assert.deepEqual(createThreeWayJSON({ a: 1, b: 1 }, { b: 2, e: {} }, { a: 1, b: 1, c: 1 }), {
    a: null,
    b: 2,
    e: {},
  })
})
