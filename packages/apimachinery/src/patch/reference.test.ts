/** Replays patches whose results were recorded from Kubernetes 1.37. */
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import "../../../api/src/schemas.gen.ts"
import { schemaOf } from "../schema.ts"
import { applyJSONPatch } from "./json-patch.ts"
import { isObject, jsonClone, jsonEqual, type JsonObject } from "./json-value.ts"
import { applyMergePatch } from "./merge-patch.ts"
import { PatchError } from "./patch-error.ts"
import { applyStrategicMergePatch } from "./strategic.ts"

interface Case {
  type: "json" | "merge" | "smp"
  on: "t" | "d" | "s"
  patch: unknown
  result?: JsonObject
  code?: number
  message?: string
}
const golden = JSON.parse(
  readFileSync(new URL("../apply/testdata/patches.json", import.meta.url), "utf8"),
) as {
  base: Record<string, JsonObject>
  cases: Case[]
}
const schemas = {
  t: schemaOf("io.k8s.api.core.v1.ConfigMap"),
  d: schemaOf("io.k8s.api.apps.v1.Deployment"),
  s: schemaOf("io.k8s.api.core.v1.Service"),
}
const codes = { "bad-request": 400, unprocessable: 422, "too-large": 413, internal: 500, conflict: 409 }

/** Whether `ours` is in `theirs`, which may have defaults besides; fields that decoding drops are passed over. */
function within(ours: unknown, theirs: unknown, path = ""): string | undefined {
  if (isObject(ours) && isObject(theirs)) {
    for (const key of Object.keys(ours)) {
      const problem =
        key in theirs
          ? within(ours[key], theirs[key], `${path}.${key}`)
          : dropped(ours[key], `${path}.${key}`)
      if (problem) return problem
    }
    return undefined
  }
  if (Array.isArray(ours) && Array.isArray(theirs)) {
    if (ours.length !== theirs.length) return `${path}: ${ours.length} items, not ${theirs.length}`
    return ours.map((item, i) => within(item, theirs[i], `${path}[${i}]`)).find(Boolean)
  }
  return jsonEqual(ours, theirs)
    ? undefined
    : `${path}: ${JSON.stringify(ours)}, not ${JSON.stringify(theirs)}`
}
function dropped(value: unknown, path: string): string | undefined {
  const nothing = value === null || (typeof value === "object" && Object.keys(value).length === 0)
  return nothing || path.endsWith(".$patch") || path.endsWith(".bogus")
    ? undefined
    : `${path}: not there upstream`
}

for (const { type, on, patch, result, code, message } of golden.cases) {
  test(`${type} patch ${JSON.stringify(patch)} of ${on}`, () => {
    const base = golden.base[on]!
    const before = jsonClone(base)
    const apply = (): unknown =>
      type === "json"
        ? applyJSONPatch(base, patch)
        : type === "merge"
          ? applyMergePatch(base, patch)
          : applyStrategicMergePatch(schemas[on], base, patch as JsonObject)
    if (result) {
      const ours = apply() as JsonObject
      const seen = { metadata: ours["metadata"], spec: ours["spec"] }
      const { namespace: _, ...metadata } = seen.metadata as JsonObject
      assert.equal(within({ metadata, spec: seen.spec }, result), undefined)
      if (on === "t") assert.deepEqual(ours["spec"], result["spec"])
    } else {
      let thrown: unknown
      try {
        apply()
      } catch (error) {
        thrown = error
      }
      if (!thrown && code === 422) return // found by validation or decoding, not by the patch
      assert.ok(thrown instanceof PatchError, String(thrown))
      assert.equal(codes[thrown.kind], code)
      if (code !== 422) assert.equal(thrown.message, message)
    }
    assert.deepEqual(base, before)
  })
}
