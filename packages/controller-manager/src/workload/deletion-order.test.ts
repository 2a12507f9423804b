import assert from "node:assert/strict"
import { test } from "node:test"
import type { Pod } from "@knarr/api"
import { podsToDelete } from "./deletion-order.ts"

const nowMs = Date.parse("2026-01-02T00:00:00Z")

interface Shape {
  readonly node?: string
  readonly phase?: string
  readonly ready?: string
  readonly created?: string
  readonly cost?: string
  readonly restarts?: number
}

function pod(name: string, shape: Shape = {}): Pod {
  const {
    node = "n1",
    phase = "Running",
    ready = "2026-01-01T00:00:00Z",
    created = "2026-01-01T00:00:00Z",
  } = shape
  return {
    metadata: {
      name,
      uid: name,
      creationTimestamp: created,
      annotations:
        shape.cost === undefined ? {} : { "controller.kubernetes.io/pod-deletion-cost": shape.cost },
    },
    spec: { nodeName: node, containers: [] },
    status: {
      phase,
      conditions: ready === "" ? [] : [{ type: "Ready", status: "True", lastTransitionTime: ready }],
      containerStatuses: [{ restartCount: shape.restarts ?? 0 }],
    },
  } as unknown as Pod
}

const cases: [string, Pod, Pod][] = [
  ["unbound before bound", pod("a", { node: "" }), pod("b")],
  ["pending before running", pod("a", { phase: "Pending" }), pod("b")],
  ["not ready before ready", pod("a", { ready: "" }), pod("b")],
  ["cheap before dear", pod("a", { cost: "-5" }), pod("b", { cost: "0" })],
  ["doubled up before alone", pod("a", { node: "n2" }), pod("b", { node: "n1" })],
  ["ready for a shorter time first", pod("a", { ready: "2026-01-01T23:00:00Z" }), pod("b")],
  ["more restarts first", pod("a", { restarts: 3 }), pod("b")],
  ["younger first", pod("a", { created: "2026-01-01T23:59:00Z" }), pod("b")],
]

for (const [name, first, second] of cases) {
  test(name, () => {
    const rank = (one: Pod): number => (one.spec.nodeName === "n2" ? 2 : 1)
    for (const order of [
      [first, second],
      [second, first],
    ]) {
      assert.deepEqual(podsToDelete(order, 1, rank, nowMs), [first])
    }
  })
}
