import assert from "node:assert/strict"
import { test } from "node:test"
import type { Pod } from "@knarr/api"
import { VirtualClock } from "@knarr/base"
import { definePlugin } from "../framework.ts"
import { SchedulingQueue } from "./scheduling-queue.ts"

const signal = new AbortController().signal
const fits = definePlugin({ name: "Fits", events: ["pod deleted"] })
const gates = definePlugin({
  name: "Gates",
  events: [],
  preEnqueue: (pod) => (pod.spec.schedulingGates?.length ? "gated" : undefined),
})

const noFailures = (_pod: unknown, thrown: unknown): void => {
  throw thrown
}

function pod(name: string, spec: object = {}): Pod {
  return {
    metadata: { name, uid: name, namespace: "ns" },
    spec: { containers: [], ...spec },
    status: {},
  } as unknown as Pod
}

test("pods come by priority, then in the order in which they were added", async () => {
  using queue = new SchedulingQueue(new VirtualClock(), [fits], noFailures)
  for (const one of [pod("a"), pod("b", { priority: 10 }), pod("c")]) queue.update(one)
  const order = []
  for (let i = 0; i < 3; i++) order.push((await queue.next(signal)).metadata.name)
  assert.deepEqual(order, ["b", "a", "c"])
})

test("a refused pod waits for an event that may help, then for its back-off", async () => {
  const clock = new VirtualClock()
  using queue = new SchedulingQueue(clock, [fits], noFailures)
  queue.update(pod("a"))
  await queue.next(signal)
  queue.refused(pod("a"), new Set(["Fits"]))
  queue.moveOn("node added")
  let got: string | undefined
  const next = queue.next(signal).then((one) => (got = one.metadata.name))
  await clock.advance(60_000)
  assert.equal(got, undefined)
  queue.moveOn("pod deleted")
  await clock.advance(999)
  assert.equal(got, undefined)
  await clock.advance(1)
  await next
  assert.equal(got, "a")
})

test("an event during the attempt counts, and without any the pod is tried again after five minutes", async () => {
  const clock = new VirtualClock()
  using queue = new SchedulingQueue(clock, [fits], noFailures)
  queue.update(pod("a"))
  await queue.next(signal)
  queue.moveOn("pod deleted")
  queue.refused(pod("a"), new Set(["Fits"]))
  let tries = 0
  const again = queue.next(signal).then(() => tries++)
  await clock.advance(1_000)
  await again
  queue.refused(pod("a"), new Set(["Fits"]))
  const later = queue.next(signal).then(() => tries++)
  await clock.advance(299_000)
  assert.equal(tries, 1)
  await clock.advance(5_000)
  await later
  assert.equal(tries, 2)
})

test("a gated pod waits until its gates are gone", async () => {
  const clock = new VirtualClock()
  using queue = new SchedulingQueue(clock, [gates], noFailures)
  queue.update(pod("a", { schedulingGates: [{ name: "x" }] }))
  let got = false
  const next = queue.next(signal).then(() => (got = true))
  await clock.advance(1_000)
  assert.equal(got, false)
  queue.update(pod("a"))
  await next
  queue.done("a")
  assert.equal(queue.size, 0)
})
