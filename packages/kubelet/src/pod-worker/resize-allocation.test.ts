import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Pod } from "@knarr/api"
import type { EventRecorder } from "@knarr/client"
import type { Refusal } from "./refusal.ts"
import { ResizeAllocation } from "./resize-allocation.ts"

function podWith(cpu: string, generation: number, conditions: object[] = []): Pod {
  const resources = { requests: { cpu } }
  return {
    metadata: { name: "p", namespace: "default", uid: "u", generation },
    spec: { containers: [{ name: "app", resources }] },
    status: {
      conditions,
      containerStatuses: [{ name: "app", resources: { requests: { cpu: "1" } } }],
    },
  } as unknown as Pod
}

function create(room: () => Refusal | undefined): { allocation: ResizeAllocation; events: string[] } {
  const events: string[] = []
  const recorder: EventRecorder = {
    event: (_, type, reason) => void events.push(`${type} ${reason}`),
  }
  const options = { events: recorder, refusal: room, nowMs: () => 0 }
  return { allocation: new ResizeAllocation(options), events }
}

const cpuOf = (pod: Readonly<Pod>): string | undefined =>
  pod.spec.containers[0]!.resources?.requests?.["cpu"] as string | undefined

describe("resize allocation", () => {
  it("grants what fits and tells until the containers have it", () => {
    const { allocation, events } = create(() => undefined)
    const before = podWith("1", 1)
    allocation.update(before)
    assert.equal(allocation.granted(before), before)
    const after = podWith("2", 2)
    assert.equal(cpuOf(allocation.granted(after)), "1")
    allocation.update(after)
    assert.equal(cpuOf(allocation.granted(after)), "2")
    assert.deepEqual(
      allocation.conditions.map(({ type, observedGeneration }) => [type, observedGeneration]),
      [["PodResizeInProgress", 2]],
    )
    allocation.actuated(after, false, "too busy")
    assert.equal(allocation.conditions[0]!.reason, "Error")
    allocation.actuated(after, true)
    assert.deepEqual(allocation.conditions, [])
    assert.deepEqual(events, ["Normal ResizeStarted", "Warning ResizeError", "Normal ResizeCompleted"])
  })

  it("defers what does not fit, says so once, and grants it later", () => {
    let room: Refusal | undefined = { reason: "OutOfcpu", message: "no cpu" }
    const { allocation, events } = create(() => room)
    allocation.update(podWith("1", 1))
    const wanted = podWith("8", 2)
    allocation.update(wanted)
    allocation.update(wanted)
    assert.equal(cpuOf(allocation.granted(wanted)), "1")
    assert.equal(allocation.isPending, true)
    const [condition] = allocation.conditions
    assert.deepEqual(
      [condition!.type, condition!.reason, condition!.message],
      ["PodResizePending", "Deferred", "no cpu"],
    )
    room = undefined
    allocation.update(wanted)
    assert.equal(cpuOf(allocation.granted(wanted)), "8")
    assert.equal(allocation.isPending, false)
    assert.deepEqual(events, ["Warning ResizeDeferred", "Normal ResizeStarted"])
  })

  it("remembers after a restart what a pod whose change waits was given", () => {
    const { allocation } = create(() => ({ reason: "OutOfcpu", message: "no cpu" }))
    const wanted = podWith("8", 2, [{ type: "PodResizePending", status: "True" }])
    allocation.update(wanted)
    assert.equal(cpuOf(allocation.granted(wanted)), "1")
  })
})
