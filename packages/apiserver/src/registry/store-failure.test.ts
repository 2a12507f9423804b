import assert from "node:assert/strict"
import { test } from "node:test"
import { StatusError } from "@knarr/apimachinery"
import { NoSpaceError } from "@knarr/store"
import { storeFailure } from "./answers.ts"

test("a full disk is told in etcd's words, as a 500 without a reason; other failures are themselves", () => {
  const full = storeFailure(new NoSpaceError(new Error("ENOSPC")))
  assert.ok(full instanceof StatusError)
  assert.deepEqual(full.status, {
    apiVersion: "v1",
    kind: "Status",
    metadata: {},
    status: "Failure",
    message: "etcdserver: mvcc: database space exceeded",
    code: 500,
  })
  const other = new Error("broken")
  assert.equal(storeFailure(other), other)
})
