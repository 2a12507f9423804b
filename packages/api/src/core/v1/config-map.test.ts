import assert from "node:assert/strict"
import { test } from "node:test"
import { configMap } from "./configmap.kind.ts"

test("a ConfigMap's keys may be called as what every object has", () => {
  for (const key of ["constructor", "toString", "hasOwnProperty", "__proto__"]) {
    const object = { metadata: { name: "a" }, data: Object.fromEntries([[key, "v"]]) }
    assert.deepEqual(configMap.validate!(object as never), [], key)
  }
})
