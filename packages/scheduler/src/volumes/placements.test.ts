/** Where pods with volumes go, and why they do not, as kube-scheduler 1.37.2 says. */
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { describe, it } from "node:test"
import type { Node, Pod } from "@knarr/api"
import type { KubeObject } from "@knarr/apimachinery"
import { OfflineScheduler } from "../testing.ts"

interface Recorded {
  readonly name: string
  readonly nodes: readonly Node[]
  readonly objects: readonly KubeObject[]
  readonly pod: Pod
  readonly outcome: { readonly node?: string; readonly message?: string }
}

const recorded = JSON.parse(
  readFileSync(new URL("testdata/placements.json", import.meta.url), "utf8"),
) as readonly Recorded[]

const spaced = new Set(["Pod", "PersistentVolumeClaim", "CSIStorageCapacity"])
const systemNodeCritical = 2_000_001_000

/** As the API server would have it. */
function stored<T extends KubeObject>(obj: T): T {
  const { deleted, ...metadata } = obj.metadata as T["metadata"] & { deleted?: boolean }
  return {
    ...obj,
    metadata: {
      ...metadata,
      ...(spaced.has(obj.kind) ? { namespace: "default" } : {}),
      ...(deleted ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}),
      uid: `${obj.kind}-${metadata.name}`,
      resourceVersion: "1",
    },
    ...(obj.kind === "Pod" ? { status: {} } : {}),
  }
}

/** What upstream says when the plugin of devices, which is not there, was not asked before another refused the pod. */
const ofDevices = " not found"
const ofPreemption =
  / preemption: 0\/\d+ nodes are available: \d+ Preemption is not helpful for scheduling\.$/

describe("A pod with volumes", () => {
  for (const { name, nodes, objects, pod, outcome } of recorded)
    it(`goes where upstream puts it: ${name}`, async () => {
      const scheduler = new OfflineScheduler()
      for (const obj of [...nodes, ...objects]) scheduler.put(stored(obj))
      const wanted = stored(pod)
      if (pod.spec.priorityClassName) wanted.spec.priority = systemNodeCritical
      const said = await scheduler.outcome(wanted)
      if (outcome.node !== undefined) return assert.equal(said, outcome.node)
      const expected = outcome.message!
      if (!expected.endsWith(`.${ofDevices}`)) return assert.equal(said, expected)
      assert.equal(said.replace(ofPreemption, ""), expected.slice(0, -ofDevices.length))
    })
})
