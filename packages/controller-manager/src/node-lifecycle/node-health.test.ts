import assert from "node:assert/strict"
import { test } from "node:test"
import type { Node } from "@knarr/api"
import { EvictionLimiter } from "./eviction-limiter.ts"
import { evictionRate, silentConditions, taintsFor, zonesOf } from "./node-health.ts"

function node(name: string, ready: string | undefined, extra: Partial<Node["spec"]> = {}): Node {
  const conditions = ready === undefined ? [] : [{ type: "Ready", status: ready }]
  return {
    metadata: { name, creationTimestamp: "2026-01-01T00:00:00Z" },
    spec: extra,
    status: { conditions },
  } as unknown as Node
}

const keys = (one: Node, mayEvict: boolean, calm = false): string[] =>
  taintsFor(one, { mayEvict, calm }, 0).map((taint) => `${taint.key}:${taint.effect}`)

test("Taints follow conditions", () => {
  assert.deepEqual(keys(node("a", "True"), true), [])
  assert.deepEqual(keys(node("a", "False"), false), ["node.kubernetes.io/not-ready:NoSchedule"])
  assert.deepEqual(keys(node("a", "Unknown"), true), [
    "node.kubernetes.io/unreachable:NoSchedule",
    "node.kubernetes.io/unreachable:NoExecute",
  ])
  assert.deepEqual(keys(node("a", "Unknown"), true, true), ["node.kubernetes.io/unreachable:NoSchedule"])
  assert.deepEqual(keys(node("a", "True", { unschedulable: true }), true), [
    "node.kubernetes.io/unschedulable:NoSchedule",
  ])
})

test("Taints of others stay and those that are right keep their time", () => {
  const taints = [
    { key: "dedicated", value: "x", effect: "NoSchedule" },
    { key: "node.kubernetes.io/not-ready", effect: "NoSchedule", timeAdded: "2026-01-01T00:00:00Z" },
  ]
  const one = node("a", "False", { taints })
  assert.equal(taintsFor(one, { mayEvict: false, calm: false }, 0), taints)
  assert.deepEqual(keys(node("a", "True", { taints }), false), ["dedicated:NoSchedule"])
  const swapped = node("a", "Unknown", {
    taints: [{ key: "node.kubernetes.io/not-ready", effect: "NoExecute" }],
  })
  assert.deepEqual(keys(swapped, false), [
    "node.kubernetes.io/unreachable:NoSchedule",
    "node.kubernetes.io/unreachable:NoExecute",
  ])
})

test("A node that never posted a status gets all conditions", () => {
  const conditions = silentConditions(node("a", undefined), 0)
  assert.deepEqual(
    conditions.map((one) => one.type),
    ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"],
  )
  assert.ok(conditions.every((one) => one.reason === "NodeStatusNeverUpdated"))
})

test("Evictions slow down with the state of the zone", () => {
  const rates = { perSecond: 0.1, secondaryPerSecond: 0.01, largeClusterSize: 50 }
  const rate = (nodes: Node[]): number => {
    const zones = zonesOf(nodes)
    return evictionRate(zones.get(""), zones, rates)
  }
  const nodes = (ready: number, notReady: number): Node[] => [
    ...Array.from({ length: ready }, (_, i) => node(`r${i}`, "True")),
    ...Array.from({ length: notReady }, (_, i) => node(`n${i}`, "Unknown")),
  ]
  assert.equal(rate(nodes(2, 1)), 0.1)
  assert.equal(rate(nodes(0, 3)), 0)
  assert.equal(rate(nodes(2, 3)), 0)
  assert.equal(rate(nodes(20, 40)), 0.01)
})

test("EvictionLimiter lets one node of a zone through at a time", () => {
  const limiter = new EvictionLimiter()
  assert.equal(limiter.take("z", "a", 0.1, 1000), 0)
  assert.equal(limiter.take("z", "b", 0.1, 1000), 10_000)
  assert.equal(limiter.take("y", "c", 0.1, 1000), 0)
  assert.equal(limiter.take("z", "b", 0.1, 11_000), 0)
  assert.equal(limiter.take("z", "d", 0, 99_000), Infinity)
})
