import assert from "node:assert/strict"
import { test } from "node:test"
import { goValue } from "./go-value.ts"
import { goDiff, unifiedDiff } from "./unified-diff.ts"

test("values are printed by Go's names, with what is not there", () => {
  for (const [type, value, expected] of [
    ["[]core.Taint", undefined, null],
    [
      "core.Taint",
      { key: "k", effect: "NoSchedule" },
      { Key: "k", Value: "", Effect: "NoSchedule", TimeAdded: null },
    ],
    ["rbac.RoleRef", undefined, { APIGroup: "", Kind: "", Name: "" }],
    [
      "*meta.LabelSelector",
      { matchExpressions: [{ operator: "In", key: "a" }], matchLabels: { b: "2", a: "1" } },
      { matchLabels: { a: "1", b: "2" }, matchExpressions: [{ key: "a", operator: "In" }] },
    ],
    ["map[]quantity", { storage: "1Gi" }, { storage: "1Gi" }],
    ["apiextensions.JSONSchemaPropsOrBool", true, { Allows: true, Schema: null }],
  ] as const)
    assert.equal(JSON.stringify(goValue(type, value)), JSON.stringify(expected), type)
  const claim = goValue("core.PersistentVolumeClaim", {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: "data", labels: { a: "b" } },
    spec: { accessModes: ["ReadWriteOnce"] },
  }) as object
  assert.deepEqual(Object.keys(claim), ["name", "labels", "Spec", "Status"])
})

test("differences are told by lines, with three equal ones around them", () => {
  const lines = Array.from({ length: 20 }, (_, i) => String(i))
  const changed = [...lines.slice(0, 5), "five", ...lines.slice(6, 17), "more", ...lines.slice(17)]
  for (const [a, b, expected] of [
    [lines, lines, ""],
    [["a"], ["b"], "@@ -1 +1 @@\n-a\n+b\n"],
    [[], ["b"], "@@ -0,0 +1 @@\n+b\n"],
    [
      lines,
      changed,
      "@@ -3,7 +3,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n@@ -15,6 +15,7 @@\n 14\n 15\n 16\n+more\n 17\n 18\n 19\n",
    ],
  ] as const)
    assert.equal(unifiedDiff(a, b), expected)
})

test("values that HTML may hold are written as Go writes them", () => {
  const text = goDiff("core.SeccompProfile", { type: "a<b" }, { type: "c" })
  assert.match(text, /^- "Type": "a\\u003cb",$/m)
})
