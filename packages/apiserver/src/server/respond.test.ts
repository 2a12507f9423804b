import assert from "node:assert/strict"
import { test } from "node:test"
import { notFound } from "@knarr/apimachinery"
import { toStatusError } from "./respond.ts"

test("what is thrown becomes a Status", () => {
  const cases: [unknown, number, string, string][] = [
    [notFound({ group: "", resource: "pods" }, "a"), 404, "NotFound", 'pods "a" not found'],
    [new Error("broken"), 500, "InternalError", "Internal error occurred: broken"],
  ]
  for (const [thrown, code, reason, message] of cases) {
    const error = toStatusError(thrown)
    assert.deepEqual([error.code, error.reason, error.message], [code, reason, message])
  }
})
