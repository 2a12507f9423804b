import assert from "node:assert/strict"
import { test } from "node:test"
import { DecisionLog } from "./index.ts"
import { nodeOf, OfflineScheduler, podOf } from "./testing.ts"

const clock = { now: () => Date.parse("2026-01-01T00:00:00Z") }
const of = (pod = podOf({ name: "p" })) => ({ pod, schedulerName: "default-scheduler", attempt: 2 })

test("a placement is kept with the best nodes' scores, and with who refused the others", () => {
  const scheduler = new OfflineScheduler()
  for (const name of ["a", "b"]) scheduler.cache.setNode(nodeOf(name))
  scheduler.cache.setNode(nodeOf("full", { cpu: "1" }))
  scheduler.cache.setNode(nodeOf("closed", { spec: { unschedulable: true } }))
  scheduler.cache.setPod(podOf({ on: "b", cpu: "1" }))
  const pod = podOf({ name: "p", cpu: "2" })
  const decision = scheduler.decide(pod)
  assert.ok("node" in decision)
  const log = new DecisionLog(clock)
  log.placed(of(pod), decision, 4)
  const [record] = log.list()
  const { best, refusals, ...rest } = record!
  assert.deepEqual(rest, {
    ...{ namespace: "default", name: "p", uid: "p", schedulerName: "default-scheduler" },
    ...{ time: "2026-01-01T00:00:00Z", attempt: 2, outcome: "Placed", node: "a" },
    ...{ nodes: 4, evaluated: 4, feasible: 2 },
  })
  assert.deepEqual(
    best.map(({ node }) => node),
    ["a", "b"],
  )
  assert.ok(best[0]!.total > best[1]!.total)
  assert.ok(best[0]!.scores["NodeResourcesFit"]! > best[1]!.scores["NodeResourcesFit"]!)
  assert.deepEqual(
    refusals.map(({ plugin, reason, isUnresolvable, count, nodes }) => [
      ...[plugin, reason, isUnresolvable],
      ...[count, nodes],
    ]),
    [
      ["NodeResourcesFit", "Insufficient cpu", true, 1, ["full"]],
      ["NodeUnschedulable", "node(s) were unschedulable", true, 1, ["closed"]],
    ],
  )
})

test("a refusal is kept with its message, nodes by reason up to a bound", () => {
  const scheduler = new OfflineScheduler()
  for (let i = 0; i < 120; i++) scheduler.cache.setNode(nodeOf(`n${i}`, { cpu: "1" }))
  const decision = scheduler.decide(podOf({ name: "p", cpu: "2" }))
  assert.ok(!("node" in decision))
  const log = new DecisionLog(clock)
  log.refused(of(), decision, "no", "n1")
  const [{ outcome, message, nominatedNode, refusals }] = log.list() as [any]
  assert.deepEqual([outcome, message, nominatedNode], ["Unschedulable", "no", "n1"])
  assert.deepEqual([refusals[0].count, refusals[0].nodes.length], [120, 100])
})

test("the last decisions of the last pods are kept", () => {
  const log = new DecisionLog(clock)
  for (let i = 0; i < 1001; i++) log.failed(of(podOf({ name: `p${i}` })), "broken")
  log.failed(of(podOf({ name: "p1" })), "again")
  assert.equal(log.list().length, 1000)
  assert.deepEqual(
    log.list("default", "p1").map(({ message }) => message),
    ["again"],
  )
  assert.deepEqual([log.list("default", "p0"), log.list("other")], [[], []])
  assert.equal(log.list()[0]!.name, "p1")
})
