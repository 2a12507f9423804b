import assert from "node:assert/strict"
import { test } from "node:test"
import { together } from "./together.ts"

test("what ends together ends in the reverse order, all of it, also when one cannot", () => {
  const ended: string[] = []
  const part = (name: string, failure?: string): Disposable => ({
    [Symbol.dispose]() {
      ended.push(name)
      if (failure) throw new Error(failure)
    },
  })
  together(part("a"), part("b"))[Symbol.dispose]()
  assert.deepEqual(ended, ["b", "a"])
  assert.throws(() => together(part("c", "late"), part("d", "first"), part("e"))[Symbol.dispose](), {
    message: "first",
  })
  assert.deepEqual(ended, ["b", "a", "e", "d", "c"])
})
