import assert from "node:assert/strict"
import { test } from "node:test"
import { VirtualClock } from "@knarr/base"
import { Expectations, expectationsTimeoutMs } from "./expectations.ts"

test("Expectations are satisfied when all creations and deletions were seen", () => {
  const expectations = new Expectations(new VirtualClock())
  assert.equal(expectations.satisfied("ns/a"), true)
  expectations.expect("ns/a", 2, ["x"])
  expectations.creationObserved("ns/a")
  expectations.creationObserved("ns/b")
  assert.equal(expectations.satisfied("ns/a"), false)
  expectations.creationObserved("ns/a")
  assert.equal(expectations.satisfied("ns/a"), false)
  expectations.deletionObserved("ns/a", "y")
  assert.equal(expectations.satisfied("ns/a"), false)
  expectations.deletionObserved("ns/a", "x")
  assert.equal(expectations.satisfied("ns/a"), true)
})

test("Expectations end with their object and after five minutes", async () => {
  const clock = new VirtualClock()
  const expectations = new Expectations(clock)
  expectations.expect("ns/a", 1)
  expectations.expect("ns/b", 1)
  expectations.delete("ns/a")
  assert.equal(expectations.satisfied("ns/a"), true)
  await clock.advance(expectationsTimeoutMs)
  assert.equal(expectations.satisfied("ns/b"), false)
  await clock.advance(1)
  assert.equal(expectations.satisfied("ns/b"), true)
})
