import assert from "node:assert/strict"
import { test } from "node:test"
import { systemClock } from "./clock.ts"
import { createLogger } from "./log.ts"
import { openScopes } from "./open-scopes.ts"
import { Scope } from "./scope.ts"
import { VirtualClock } from "./virtual-clock.ts"

/** A root scope on a virtual clock, with what it logs. */
function supervised(): { scope: Scope; clock: VirtualClock; log: string[] } {
  const clock = new VirtualClock()
  const log: string[] = []
  const write = (line: string): void => void log.push(line.replace(/^\S+ /, "").trim())
  return {
    scope: new Scope("root", { env: { clock, log: createLogger({ clock, level: "info", write }) } }),
    clock,
    log,
  }
}

const fails = async (): Promise<void> => {
  throw new Error("broken")
}

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

test("a task that fails is logged once and fails every scope up to the root", async () => {
  const { scope, log } = supervised()
  const child = scope.child("child")
  const sibling = scope.child("sibling")
  child.run("bad", fails)
  await new Promise((resolve) => sibling.signal.addEventListener("abort", resolve))
  const message = 'Task "root/child/bad" failed: broken'
  assert.equal((scope.signal.reason as Error).message, message)
  assert.deepEqual(log, ["ERROR A task failed task=root/child/bad err=broken"])
  await assert.rejects(scope.close(), { message })
})

test("a contained child fails alone, and its close tells why", async () => {
  const { scope } = supervised()
  const child = scope.child("child", { contained: true })
  child.run("bad", fails)
  await new Promise((resolve) => child.signal.addEventListener("abort", resolve))
  assert.equal(scope.signal.aborted, false)
  await assert.rejects(child.close(), { message: 'Task "root/child/bad" failed: broken' })
  await scope.close()
})

test("Scope does not log what fails in a silent child: its owner does", async () => {
  const { scope, log } = supervised()
  const child = scope.child("child", { contained: true, silent: true })
  child.child("inner").run("bad", fails)
  await new Promise((resolve) => child.signal.addEventListener("abort", resolve))
  assert.deepEqual(log, [])
  assert.equal(scope.signal.aborted, false)
  await assert.rejects(child.close(), { message: 'Task "root/child/inner/bad" failed: broken' })
  await scope.close()
})

test("a contained task is logged and ends alone", async () => {
  const { scope, clock, log } = supervised()
  scope.run("bad", fails, { contained: true })
  await clock.advance(1)
  assert.equal(scope.signal.aborted, false)
  assert.deepEqual(log, ["ERROR A task failed task=root/bad err=broken"])
  await scope.close()
})

test("a task that may restart does so after pauses that double, and is told of until it has ended", async () => {
  const { scope, clock, log } = supervised()
  const starts: number[] = []
  scope.child("part").run(
    "loop",
    async () => {
      starts.push(clock.monotonic())
      if (starts.length < 5) throw new Error(`broken ${starts.length}`)
    },
    { restart: { firstMs: 100, maxMs: 300 } },
  )
  await clock.advance(0)
  const trouble = { task: "root/part/loop", restarts: 1, error: "broken 1", waiting: true }
  assert.deepEqual(scope.troubles(), [trouble])
  await clock.advance(2_000)
  assert.deepEqual(
    starts.map((ms) => ms - starts[0]!),
    [0, 100, 300, 600, 900],
  )
  assert.equal(log.length, 4)
  assert.match(
    log[1]!,
    /^ERROR A task failed and is started again task=root\/part\/loop restarts=2 seconds=0.2 err="broken 2"$/,
  )
  assert.deepEqual(scope.troubles(), [])
  await scope.close()
})

test("a task that ran long enough begins with the first pause again", async () => {
  const { scope, clock } = supervised()
  const starts: number[] = []
  scope.run(
    "loop",
    async (signal) => {
      starts.push(clock.monotonic())
      await clock.sleep(starts.length === 3 ? 60_000 : 1, signal)
      throw new Error("broken")
    },
    { restart: true },
  )
  await clock.advance(70_000)
  const between = starts.slice(1).map((ms, i) => ms - starts[i]!)
  assert.deepEqual(between.slice(0, 4), [101, 201, 60_100, 201])
  await scope.close()
})

test("nothing waits for a restart once the scope is closed", async () => {
  const { scope, clock } = supervised()
  scope.run("loop", fails, { restart: { firstMs: 1e9 } })
  await clock.advance(0)
  await scope.close()
  assert.deepEqual(scope.troubles(), [])
})

test("what is handed to a closed scope is ended at once", async () => {
  const { scope, log } = supervised()
  await scope.close()
  const ended: string[] = []
  scope.use({ [Symbol.dispose]: () => void ended.push("resource") })
  scope.defer(() => void ended.push("deferred"))
  const child = scope.child("late")
  child.run("task", async () => void ended.push("never"))
  child.use({
    [Symbol.asyncDispose]: async () => {
      throw new Error("stuck")
    },
  })
  await child.close()
  assert.deepEqual(ended, ["resource", "deferred"])
  await new Promise(setImmediate)
  assert.deepEqual(log, ["ERROR What was handed to a closed scope cannot be ended scope=root/late err=stuck"])
})

test("a resource that is released is disposed of once", async () => {
  const scope = new Scope("root")
  let disposed = 0
  const resource = scope.use({ [Symbol.dispose]: () => void disposed++ })
  await scope.release(resource)
  await scope.close()
  assert.equal(disposed, 1)
})

test("a child that closes early unlinks itself", async () => {
  const scope = new Scope("root")
  const child = scope.child("child")
  await child.close()
  assert.equal(scope.signal.aborted, false)
  await scope.close()
  assert.equal(openScopes.size, 0)
})
