import assert from "node:assert/strict"
import { test } from "node:test"
import type { Deployment, ReplicaSet } from "@knarr/api"
import { newSetAnnotations } from "./annotations.ts"
import {
  maxSurge,
  maxUnavailable,
  newReplicaSetSize,
  proportionalSizes,
  shrinkOld,
  surplusHistory,
} from "./arithmetic.ts"

function deployment(replicas: number, surge: number | string, unavailable: number | string): Deployment {
  const strategy = { type: "RollingUpdate", rollingUpdate: { maxSurge: surge, maxUnavailable: unavailable } }
  return { metadata: { name: "d" }, spec: { replicas, strategy }, status: {} } as unknown as Deployment
}

function set(
  name: string,
  replicas: number,
  available = replicas,
  annotations: Record<string, string> = {},
): ReplicaSet {
  return {
    metadata: { name, uid: name, creationTimestamp: `2026-01-01T00:00:0${name.length}Z`, annotations },
    spec: { replicas },
    status: { replicas, availableReplicas: available },
  } as unknown as ReplicaSet
}

test("Surge is rounded up, unavailability down, and never both zero", () => {
  assert.deepEqual(
    [maxSurge(deployment(10, "25%", "25%")), maxUnavailable(deployment(10, "25%", "25%"))],
    [3, 2],
  )
  assert.deepEqual([maxSurge(deployment(3, 0, "25%")), maxUnavailable(deployment(3, 0, "25%"))], [0, 1])
  assert.equal(maxUnavailable(deployment(2, 1, 5)), 2)
  assert.equal(maxUnavailable(deployment(0, 1, 1)), 0)
})

test("A new revision grows into the room that surge leaves", () => {
  const d = deployment(10, 2, 2)
  assert.equal(newReplicaSetSize(d, [set("a", 10)], 0), 2)
  assert.equal(newReplicaSetSize(d, [set("a", 10), set("bb", 2)], 2), 2)
  assert.equal(newReplicaSetSize(d, [set("a", 0), set("bb", 9)], 9), 10)
})

test("Old revisions lose the unhealthy replicas first and never too many", () => {
  const d = deployment(10, 2, 2)
  const sizes = (all: ReplicaSet[], old: ReplicaSet[], fresh?: ReplicaSet): Record<string, number> =>
    Object.fromEntries(shrinkOld(d, all, old, fresh).map((one) => [one.set.metadata.name, one.size]))
  const old = set("a", 10, 10)
  const fresh = set("bb", 2, 0)
  assert.deepEqual(sizes([old, fresh], [old], fresh), { a: 8 })
  const sick = set("a", 10, 8)
  assert.deepEqual(sizes([sick, fresh], [sick], fresh), { a: 8 })
  assert.deepEqual(sizes([set("a", 8, 8), fresh], [set("a", 8, 8)], fresh), {})
})

test("A change of size is spread in proportion, the rest goes to the largest", () => {
  const d = deployment(20, 3, 2)
  const max = { "deployment.kubernetes.io/max-replicas": "13" }
  const sizes = proportionalSizes(d, [set("a", 8, 8, max), set("bb", 5, 5, max)])
  assert.deepEqual(
    sizes.map((one) => [one.set.metadata.name, one.size]),
    [
      ["a", 14],
      ["bb", 9],
    ],
  )
})

test("History beyond the limit goes, oldest revision first, unless it still has pods", () => {
  const d = { ...deployment(1, 1, 1), spec: { revisionHistoryLimit: 1 } } as Deployment
  const old = (name: string, revision: number, replicas = 0): ReplicaSet =>
    set(name, replicas, replicas, { "deployment.kubernetes.io/revision": String(revision) })
  assert.deepEqual(
    surplusHistory(d, [old("c", 3), old("aa", 1, 1), old("b", 2)]).map((one) => one.metadata.name),
    ["b"],
  )
})

test("Annotations are copied, but not those that are a revision's own", () => {
  const d = deployment(3, 1, 1)
  d.metadata.annotations = { note: "x", "kubectl.kubernetes.io/last-applied-configuration": "{}" }
  assert.deepEqual(newSetAnnotations(d, {}, 1n, false), {
    note: "x",
    "deployment.kubernetes.io/revision": "1",
    "deployment.kubernetes.io/desired-replicas": "3",
    "deployment.kubernetes.io/max-replicas": "4",
  })
  assert.deepEqual(
    newSetAnnotations(
      { ...d, metadata: {} } as Deployment,
      { "deployment.kubernetes.io/revision": "1" },
      3n,
      true,
    ),
    {
      "deployment.kubernetes.io/revision": "3",
      "deployment.kubernetes.io/revision-history": "1",
    },
  )
})
