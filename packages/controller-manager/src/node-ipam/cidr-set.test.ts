import assert from "node:assert/strict"
import { test } from "node:test"
import { CidrSet, overlap } from "./cidr-set.ts"

test("CidrSet divides networks of both families", () => {
  const four = new CidrSet("10.244.0.0/16", 24)
  assert.equal(four.size, 256)
  assert.equal(four.part(0), "10.244.0.0/24")
  assert.equal(four.part(255), "10.244.255.0/24")
  const six = new CidrSet("fd00:10::/56", 64)
  assert.equal(six.part(2), "fd00:10:0:2::/64")
  assert.throws(() => new CidrSet("10.0.0.0/24", 16))
  assert.throws(() => new CidrSet("x", 24))
})

test("CidrSet goes round and ends when all parts are used", () => {
  const set = new CidrSet("10.0.0.0/23", 24)
  assert.deepEqual(
    set.next(1, (cidr) => cidr === "10.0.1.0/24"),
    { cidr: "10.0.0.0/24", index: 0 },
  )
  assert.equal(
    set.next(0, () => true),
    undefined,
  )
  assert.equal(overlap("10.0.0.0/16", "10.0.3.0/24"), true)
  assert.equal(overlap("10.0.0.0/16", "10.1.0.0/16"), false)
})
