import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { pod as podKind, type Pod, type PodStatus } from "@knarr/api"
import { isNotFound } from "@knarr/apimachinery"
import type { Client } from "@knarr/client"
import { createStatusManager } from "./status-manager.ts"
import { withPlane } from "./plane.test.ts"

const ref = { namespace: "default", name: "p" }

function running(ready = true): PodStatus {
  const status = ready ? "True" : "False"
  return {
    phase: "Running",
    conditions: [
      { type: "Initialized", status: "True" },
      { type: "Ready", status },
      { type: "ContainersReady", status },
      { type: "PodScheduled", status: "True" },
    ],
    containerStatuses: [
      {
        name: "app",
        image: "img",
        imageID: "sha256:1",
        containerID: "containerd://c1",
        ready,
        started: true,
        restartCount: 0,
        state: { running: { startedAt: "2026-01-01T00:00:00Z" } },
      },
    ],
  }
}

function ended(phase: "Succeeded" | "Failed", exitCode = 0): PodStatus {
  const status = running(false)
  const [app] = status.containerStatuses!
  const reason = exitCode === 0 ? "Completed" : "Error"
  app!.state = { terminated: { exitCode, reason } }
  app!.started = false
  return { ...status, phase }
}

/** Counts writes of pods' statuses, and fails those that `fail` says. */
function counting(
  client: Client,
  fail: (count: number) => unknown = () => undefined,
): { client: Client; writes: () => number } {
  let writes = 0
  const counted: Client = Object.create(client) as Client
  counted.patch = (async (...args: Parameters<Client["patch"]>) => {
    writes++
    const error = fail(writes)
    if (error) throw error
    return client.patch(...args)
  }) as Client["patch"]
  for (const name of ["get", "delete", "list", "watch", "update", "create"] as const)
    Object.assign(counted, { [name]: client[name].bind(client) })
  return { client: counted, writes: () => writes }
}

describe("status manager", () => {
  it("writes the newest status once, with times and generation, and nothing when unchanged", () =>
    withPlane(async ({ env, scope, client: real, createPod, clock }) => {
      const pod = await createPod()
      const { client, writes } = counting(real)
      const manager = createStatusManager({ env, scope, client })
      manager.set(pod, running(false))
      manager.set(pod, running(false))
      manager.set(pod, running(true))
      await clock.advance(10)
      const written = await real.get(podKind, ref)
      assert.equal(written.status.phase, "Running")
      assert.equal(written.status.observedGeneration, pod.metadata.generation)
      assert.equal(written.status.qosClass, "BestEffort")
      assert.ok(written.status.startTime)
      const ready = written.status.conditions!.find(({ type }) => type === "Ready")!
      assert.equal(ready.status, "True")
      assert.ok(ready.lastTransitionTime)
      assert.equal(ready.observedGeneration, pod.metadata.generation)
      assert.ok(writes() <= 2, `${writes()} writes`)
      const before = writes()
      manager.set(written, running(true))
      await clock.advance(10)
      assert.equal(writes(), before)
      assert.equal((await real.get(podKind, ref)).metadata.resourceVersion, written.metadata.resourceVersion)
      assert.equal(manager.get(pod.metadata.uid)?.phase, "Running")
    }))

  it("keeps the conditions of others and decides readiness gates", () =>
    withPlane(async ({ env, scope, client, createPod, clock }) => {
      const gate = "example.com/gate"
      const pod = await createPod({ readinessGates: [{ conditionType: gate }] })
      const manager = createStatusManager({ env, scope, client })
      manager.set(pod, running())
      await clock.advance(10)
      const find = async (type: string) =>
        (await client.get(podKind, ref)).status.conditions?.find((condition) => condition.type === type)
      assert.equal((await find("Ready"))?.reason, "ReadinessGatesNotReady")
      assert.equal(
        (await find("Ready"))?.message,
        `corresponding condition of pod readiness gate "${gate}" does not exist.`,
      )
      const conditions = [
        { type: gate, status: "True" },
        { type: "DisruptionTarget", status: "True", reason: "EvictionByEvictionAPI" },
      ]
      const patched = await client.patch(
        podKind,
        ref,
        "strategic",
        { status: { conditions } },
        { subresource: "status" },
      )
      manager.set(patched, running())
      await clock.advance(10)
      assert.equal((await find("Ready"))?.status, "True")
      assert.equal((await find(gate))?.status, "True")
      assert.equal((await find("DisruptionTarget"))?.reason, "EvictionByEvictionAPI")
    }))

  it("never lets an ended container or pod come back", () =>
    withPlane(async ({ env, scope, client, createPod, clock }) => {
      const pod = await createPod({ restartPolicy: "Never" })
      const manager = createStatusManager({ env, scope, client })
      manager.set(pod, ended("Failed", 3))
      manager.set(pod, running())
      await clock.advance(10)
      const { status } = await client.get(podKind, ref)
      assert.equal(status.phase, "Failed")
      assert.equal(status.containerStatuses?.[0]?.state?.terminated?.exitCode, 3)
      assert.equal(status.conditions?.find(({ type }) => type === "Ready")?.status, "False")
    }))

  it("waits with the end of a pod until no container runs", () =>
    withPlane(async ({ env, scope, client, createPod, clock }) => {
      const pod = await createPod({ restartPolicy: "Never" })
      const manager = createStatusManager({ env, scope, client })
      manager.set(pod, running())
      manager.set(pod, { ...running(), phase: "Failed", reason: "Evicted" })
      await clock.advance(10)
      assert.equal((await client.get(podKind, ref)).status.phase, "Running")
      manager.set(pod, { ...ended("Failed", 137), reason: "Evicted" })
      await clock.advance(10)
      const { status } = await client.get(podKind, ref)
      assert.deepEqual([status.phase, status.reason], ["Failed", "Evicted"])
    }))

  it("deletes a pod for good after its last status, and only the one with its uid", () =>
    withPlane(async ({ env, scope, client, nodeClient, createPod, clock, until }) => {
      const pod = await createPod()
      const manager = createStatusManager({ env, scope, client: nodeClient })
      manager.set(pod, running())
      await clock.advance(10)
      await client.delete(podKind, ref, { gracePeriodSeconds: 30 })
      const deleting = await client.get(podKind, ref)
      manager.set(deleting, ended("Failed", 137))
      manager.finished(deleting)
      await until("the pod is gone", () => client.get(podKind, ref).then(() => false, isNotFound))
      const next = await createPod()
      manager.set(deleting, ended("Failed", 137))
      manager.finished(deleting)
      await clock.advance(60_000)
      const found = await client.get(podKind, ref)
      assert.equal(found.metadata.uid, next.metadata.uid)
      assert.equal(found.status.phase, "Pending")
    }))

  it("tries again, with what is newest then", () =>
    withPlane(async ({ env, scope, client: real, createPod, until }) => {
      const pod = await createPod()
      const { client } = counting(real, (count) => (count <= 3 ? new Error("connection refused") : undefined))
      const manager = createStatusManager({ env, scope, client })
      manager.set(pod, running(false))
      await until(
        "the status is written",
        async () => (await real.get(podKind, ref)).status.phase === "Running",
      )
    }))

  it("writes the status of a static pod to its mirror, and to the next one", () =>
    withPlane(async ({ env, scope, client, nodeClient, until }) => {
      const manager = createStatusManager({ env, scope, client: nodeClient })
      const metadata = {
        namespace: "default",
        name: "p",
        uid: "hash-1",
        annotations: { "kubernetes.io/config.source": "file", "kubernetes.io/config.hash": "hash-1" },
      }
      const fixed = {
        apiVersion: "v1",
        kind: "Pod",
        metadata,
        spec: { containers: [{ name: "app", image: "img" }] },
        status: {},
      }
      manager.set(fixed as unknown as Pod, running())
      const annotations = { ...metadata.annotations, "kubernetes.io/config.mirror": "hash-1" }
      const mirror = {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { namespace: "default", name: "p", annotations },
        spec: { ...fixed.spec, nodeName: "n1" },
      }
      const isTold = async () => (await client.get(podKind, ref)).status.phase === "Running"
      await client.create(podKind, mirror as never)
      await until("the mirror has it", isTold)
      await client.delete(podKind, ref, { gracePeriodSeconds: 0 })
      manager.mirrorSeen(await client.create(podKind, mirror as never))
      await until("the next mirror has it", isTold)
    }))

  it("takes a readiness probe's word at any time", () =>
    withPlane(async ({ env, scope, client, createPod, clock }) => {
      const pod = await createPod()
      const manager = createStatusManager({ env, scope, client })
      manager.setContainerReadiness(pod.metadata.uid, "app", false)
      manager.set(pod, running())
      manager.setContainerReadiness(pod.metadata.uid, "app", false)
      await clock.advance(10)
      const { status } = await client.get(podKind, ref)
      const ready = status.conditions!.find(({ type }) => type === "Ready")!
      assert.deepEqual(
        [ready.status, ready.reason, ready.message],
        ["False", "ContainersNotReady", "containers with unready status: [app]"],
      )
      assert.equal(status.containerStatuses![0]!.ready, false)
      await clock.advance(15_000)
      manager.setContainerReadiness(pod.metadata.uid, "app", true)
      await clock.advance(10)
      const after = (await client.get(podKind, ref)).status
      const now = after.conditions!.find(({ type }) => type === "Ready")!
      assert.equal(now.status, "True")
      const sinceMs = Date.parse(now.lastTransitionTime!) - Date.parse(ready.lastTransitionTime!)
      assert.equal(sinceMs, 15_000)
    }))
})
