/** What is left of pods that are evicted, on a whole cluster in memory. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { startSimulatedWorld } from "./kubelet-world.ts"

const app = { name: "app", image: "example.com/app:1" }

test("An evicted pod leaves no containers, keeps its status, and is not started again by the next kubelet", async () => {
  await using world = await startSimulatedWorld()
  const { api, node, clock } = world
  await api.createPod("full", { containers: [app] })
  await api.createPod("other", { containers: [app] })
  await world.until(() => world.api.isReady("full") && world.api.isReady("other"))
  const { uid } = api.pod("full")!.metadata
  const containers = (): number =>
    [...node.host.containers.values()].filter(({ sandbox }) => sandbox.config.metadata!.uid === uid).length
  const message = "The node was low on resource: ephemeral-storage. "
  node.kubelet!.workers.evict(uid, { reason: "Evicted", message, gracePeriodSeconds: 1 })
  await world.until(() => api.pod("full")!.status.phase === "Failed" && containers() === 0)
  const { status } = api.pod("full")!
  assert.equal(status.reason, "Evicted")
  assert.equal(status.message, message)
  const disrupted = status.conditions!.find(({ type }) => type === "DisruptionTarget")
  assert.equal(disrupted?.reason, "TerminationByKubelet")
  assert.ok(status.containerStatuses![0]!.state!.terminated)

  await node.stop()
  await node.start()
  await clock.advance(60_000)
  assert.equal(containers(), 0)
  assert.deepEqual(api.pod("full")!.status, status)
  assert.equal(world.api.isReady("other"), true)
  await api.deletePod("full")
  await world.until(() => api.pod("full") === undefined)
})
