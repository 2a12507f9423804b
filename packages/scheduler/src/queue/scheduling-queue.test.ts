import assert from "node:assert/strict"
import { test } from "node:test"
import type { Pod } from "@knarr/api"
import { Meter, silentLogger, VirtualClock } from "@knarr/base"
import { ActionType, eventOf, onEvent } from "../framework/cluster-event.ts"
import { definePlugin, type PluginDescriptor, type QueuedPod } from "../framework/plugin.ts"
import { unschedulable } from "../framework/status.ts"
import { defaultPlugins } from "../order.ts"
import { OfflineScheduler, podOf } from "../testing.ts"
import { SchedulingQueue, type Refusers } from "./scheduling-queue.ts"

const signal = new AbortController().signal
const nodeAdd = eventOf("Node", ActionType.Add)
const podDelete = eventOf("AssignedPod", ActionType.Delete)

/** Listens for deleted pods, and takes those for a help that are not called irrelevant. */
const fits = definePlugin({
  name: "Fits",
  create: () => ({
    eventsToRegister: () => [
      onEvent<Pod>("AssignedPod", ActionType.Delete, (_pod, old) => {
        if (old?.metadata.name === "broken") throw new Error("broken")
        return old?.metadata.name === "irrelevant" ? "QueueSkip" : "Queue"
      }),
    ],
  }),
})
const claims = definePlugin({
  name: "Claims",
  create: () => ({ eventsToRegister: () => [onEvent("Node", ActionType.Add)] }),
})
const open = { isOpen: false }
const gate = definePlugin({
  name: "Gate",
  create: () => ({
    eventsToRegister: () => [
      onEvent("Node", ActionType.Add),
      onEvent("TargetPod", ActionType.UpdatePodLabel),
    ],
    preEnqueue: (pod) =>
      open.isOpen || !pod.metadata.labels?.["gated"] ? undefined : unschedulable("closed"),
  }),
})

function start(extra: readonly PluginDescriptor[] = []) {
  const clock = new VirtualClock()
  const meter = new Meter()
  const { profile } = new OfflineScheduler([...defaultPlugins, fits, claims, gate, ...extra])
  const failures: string[] = []
  const queue = new SchedulingQueue({
    env: { clock, log: silentLogger, meter },
    profileOf: () => profile,
    less: profile.less,
    interests: [...profile.events.values()].flat().map(({ event }) => event),
    onFailure: (_pod, thrown) => failures.push((thrown as Error).message),
  })
  const pod = podOf({ name: "a" })
  /** Takes the pod out and brings it back refused. */
  const refuse = async (refusers?: Refusers): Promise<void> => {
    const queued = await queue.next(signal)
    queue.refused(queued, queued.pod, refusers)
  }
  /** The pod that comes, and after how many milliseconds; none comes within a minute otherwise. */
  const come = async (): Promise<{ queued: QueuedPod; ms: number } | undefined> => {
    const began = clock.now()
    let came: { queued: QueuedPod; ms: number } | undefined
    const stop = new AbortController()
    const next = queue.next(stop.signal).then(
      (queued) => (came = { queued, ms: clock.now() - began }),
      () => {},
    )
    for (let step = 0; step < 120 && came === undefined; step++) await clock.advance(step === 0 ? 0 : 500)
    stop.abort()
    await next
    return came
  }
  return { clock, queue, pod, refuse, come, failures, meter }
}

const by = (...plugins: string[]): Refusers => ({
  unschedulablePlugins: new Set(plugins),
  pendingPlugins: new Set(),
})
const pendingBy = (plugin: string): Refusers => ({
  unschedulablePlugins: new Set(),
  pendingPlugins: new Set([plugin]),
})

test("pods come by priority, then in the order in which they were added", async () => {
  const { queue } = start()
  const pods = [podOf({ name: "a" }), podOf({ name: "b", spec: { priority: 10 } }), podOf({ name: "c" })]
  for (const one of pods) queue.update(one)
  const order = []
  for (let i = 0; i < 3; i++) order.push((await queue.next(signal)).pod.metadata.name)
  assert.deepEqual(order, ["b", "a", "c"])
})

test("a refused pod waits for an event that a plugin which refused it takes for a help", async () => {
  const cases: [string, Refusers, () => Parameters<SchedulingQueue["moveAll"]>, number | undefined][] = [
    ["nobody listens for it", by("Fits"), () => [nodeAdd, undefined, {}], undefined],
    ["another plugin listens for it", by("Claims"), () => [podDelete, podOf(), undefined], undefined],
    ["the hint says no", by("Fits"), () => [podDelete, podOf({ name: "irrelevant" }), undefined], undefined],
    ["the hint says yes", by("Fits"), () => [podDelete, podOf(), undefined], 0],
    ["the hint fails", by("Fits"), () => [podDelete, podOf({ name: "broken" }), undefined], 0],
    ["one of two plugins", by("Fits", "Claims"), () => [nodeAdd, undefined, {}], 0],
    ["a plugin that it waits for", pendingBy("Claims"), () => [nodeAdd, undefined, {}], 0],
    ["the pod is not concerned", by("Fits"), () => [podDelete, podOf(), undefined, () => false], undefined],
  ]
  for (const [what, refusers, event, expected] of cases) {
    const { queue, pod, refuse, come } = start()
    using _queue = queue
    queue.update(pod)
    await refuse(refusers)
    queue.moveAll(...event())
    assert.equal((await come())?.ms, expected, what)
  }
})

test("a pod on back-off lets active ones go first, and comes at once when there are none", async () => {
  const { queue, pod, refuse, come } = start()
  using _queue = queue
  queue.update(pod)
  await refuse(by("Fits"))
  queue.moveAll(podDelete, podOf(), undefined)
  queue.update(podOf({ name: "other" }))
  assert.equal((await come())?.queued.pod.metadata.name, "other")
  const next = await come()
  assert.deepEqual([next?.queued.pod.metadata.name, next?.ms], ["a", 0])
})

test("a failed attempt waits for its back-off, which doubles up to ten seconds, whatever happens", async () => {
  const { queue, pod, come } = start()
  using _queue = queue
  queue.update(pod)
  let queued = (await come())!.queued
  const waits = []
  for (let i = 0; i < 6; i++) {
    queue.refused(queued, pod)
    queue.moveAll(nodeAdd, undefined, {})
    const next = await come()
    queued = next!.queued
    waits.push(next!.ms)
  }
  assert.deepEqual(waits, [1_000, 2_000, 4_000, 8_000, 10_000, 10_000])
})

test("what happened during the attempt counts, and too much of it is taken for a help", async () => {
  const cases: [string, (queue: SchedulingQueue) => void, number | undefined][] = [
    ["nothing", () => {}, undefined],
    ["something irrelevant", (queue) => queue.moveAll(nodeAdd, undefined, {}), undefined],
    ["a help", (queue) => queue.moveAll(podDelete, podOf(), undefined), 0],
    [
      "more than is kept",
      (queue) => {
        for (let i = 0; i < 20_000; i++) queue.moveAll(nodeAdd, undefined, {})
      },
      0,
    ],
    ["somebody wants it", (queue) => queue.activate([podOf({ name: "a" })]), 0],
  ]
  for (const [what, happen, expected] of cases) {
    const { queue, pod, come } = start()
    using _queue = queue
    queue.update(pod)
    const { queued } = (await come())!
    happen(queue)
    queue.refused(queued, pod, by("Fits"))
    assert.equal((await come())?.ms, expected, what)
  }
})

test("without any event a refused pod is tried again after five minutes", async () => {
  const { clock, queue, pod, refuse, come } = start()
  using _queue = queue
  queue.update(pod)
  await refuse(by("Fits"))
  await clock.advance(299_000)
  assert.equal((await come())?.ms, 1_000)
})

test("a gated pod waits for the events of the plugin that gates it", async () => {
  const gated = podOf({ name: "a", labels: { gated: "yes" } })
  const cases: [string, (queue: SchedulingQueue) => void, number | undefined][] = [
    ["nothing", () => {}, undefined],
    ["the gate opens unseen", () => (open.isOpen = true), undefined],
    ["an event, and it is still closed", (queue) => queue.moveAll(nodeAdd, undefined, {}), undefined],
    [
      "an event, and it is open",
      (queue) => {
        open.isOpen = true
        queue.moveAll(nodeAdd, undefined, {})
      },
      0,
    ],
    ["the pod itself changes", (queue) => queue.update(podOf({ name: "a", labels: { free: "yes" } })), 0],
  ]
  for (const [what, happen, expected] of cases) {
    open.isOpen = false
    const { queue, come } = start()
    using _queue = queue
    queue.update(gated)
    happen(queue)
    assert.equal((await come())?.ms, expected, what)
  }
})

test("a plugin that fails over a pod before it is queued is told, and asked again", async () => {
  let fails = true
  const broken = definePlugin({
    name: "Broken",
    create: () => ({
      preEnqueue() {
        if (fails) throw new Error("broken")
        return undefined
      },
    }),
  })
  const { queue, pod, come, failures } = start([broken])
  using _queue = queue
  queue.update(pod)
  assert.deepEqual(failures, ['running PreEnqueue plugin "Broken": broken'])
  fails = false
  assert.equal((await come())?.ms, 1_000)
})

test("a pod that is gone, or done, does not come back", async () => {
  const { queue, pod, come } = start()
  using _queue = queue
  for (const end of ["remove", "done"] as const) {
    queue.update(pod)
    const { queued } = (await come())!
    queue[end](pod.metadata.uid)
    assert.equal(queue.size, 0, end)
    queue.update(pod)
    queue.refused(queued, pod, by("Fits"))
    assert.equal((await come())?.ms, 0, `${end}: queued again meanwhile`)
    queue.remove(pod.metadata.uid)
  }
})

test("metrics tell where pods went, and why", async () => {
  const { queue, pod, refuse, come, meter } = start()
  using _queue = queue
  queue.update(pod)
  await refuse(by("Fits"))
  queue.update(podOf({ name: "gated", labels: { gated: "yes" } }))
  assert.deepEqual(queue.pending(), { active: 0, backoff: 0, unschedulable: 1, gated: 1 })
  queue.moveAll(podDelete, podOf(), undefined)
  await come()
  const lines = meter
    .text()
    .split("\n")
    .filter((line) => line.startsWith("scheduler_queue_incoming_pods_total"))
  assert.deepEqual(lines.sort(), [
    'scheduler_queue_incoming_pods_total{queue="active",event="UnscheduledPodAdd"} 1',
    'scheduler_queue_incoming_pods_total{queue="backoff",event="AssignedPodDelete"} 1',
    'scheduler_queue_incoming_pods_total{queue="gated",event="UnscheduledPodAdd"} 1',
    'scheduler_queue_incoming_pods_total{queue="unschedulable",event="ScheduleAttemptFailure"} 1',
  ])
})
