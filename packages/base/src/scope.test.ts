import assert from "node:assert/strict"
import { test } from "node:test"
import { systemClock } from "./clock.ts"
import { Scope } from "./scope.ts"

test("closing stops tasks and children, then disposes of resources, newest first", async () => {
  const log: string[] = []
  const scope = new Scope("root")
  const child = scope.child("child")
  child.defer(() => void log.push("child resource"))
  scope.defer(() => void log.push("first"))
  scope.defer(() => void log.push("second"))
  child.run("wait", async (signal) => {
    await systemClock.sleep(60_000, signal).finally(() => log.push("task ended"))
  })
  await scope.close()
  assert.deepEqual(log, ["task ended", "child resource", "second", "first"])
  scope.run("late", async () => void log.push("never"))
  assert.equal(log.length, 4)
})

test("a task that fails aborts its scope, and close tells why", async () => {
  const scope = new Scope("root")
  scope.run("bad", async () => {
    throw new Error("broken")
  })
  await new Promise((resolve) => scope.signal.addEventListener("abort", resolve))
  await assert.rejects(scope.close(), { message: 'Task "root/bad" failed: broken' })
})

test("a child that closes early unlinks itself", async () => {
  const scope = new Scope("root")
  const child = scope.child("child")
  await child.close()
  assert.equal(scope.signal.aborted, false)
  await scope.close()
})
