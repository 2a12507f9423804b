import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { deferred } from "@knarr/base"
import { SharedCalls } from "./shared-calls.ts"

describe("shared calls", () => {
  it("makes one call for all who ask meanwhile, and goes on while one of them waits", async () => {
    const calls = new SharedCalls<number>()
    const answer = deferred<number>()
    const signals: AbortSignal[] = []
    const call = (signal: AbortSignal): Promise<number> => {
      signals.push(signal)
      return answer.promise
    }
    const first = new AbortController()
    const one = calls.run("k", call, first.signal)
    const two = calls.run("k", call, new AbortController().signal)
    first.abort(new Error("gone"))
    await assert.rejects(one, /gone/)
    assert.equal(signals[0]!.aborted, false)
    answer.resolve(7)
    assert.equal(await two, 7)
    assert.equal(signals.length, 1)
    assert.equal(await calls.run("k", async () => 8, new AbortController().signal), 8)
  })

  it("ends the call when nobody waits any more", async () => {
    const calls = new SharedCalls<number>()
    const only = new AbortController()
    let seen: AbortSignal | undefined
    const run = calls.run(
      "k",
      (signal) => {
        seen = signal
        return new Promise<number>(() => {})
      },
      only.signal,
    )
    only.abort(new Error("gone"))
    await assert.rejects(run, /gone/)
    assert.equal(seen!.aborted, true)
  })
})
