import assert from "node:assert/strict"
import { test } from "node:test"
import { subjectUser } from "./authorization.ts"

test("a certificate's subject names one user, the same as to the API server", () => {
  for (const [subject, name, groups] of [
    [{ CN: "a", O: "g" }, "a", ["g"]],
    [{ CN: ["a", "b"], O: ["g", "h"] }, "b", ["g", "h"]],
    [{ CN: ["a", ""] }, undefined, []],
    [{ CN: "a,b" }, "a,b", []],
    [{ O: "g" }, undefined, []],
    [{ CN: "" }, undefined, []],
  ] as const) {
    const want = name === undefined ? undefined : { name, groups: [...groups, "system:authenticated"] }
    assert.deepEqual(subjectUser(subject), want, JSON.stringify(subject))
  }
})
