/** What the contract of scheduler plugins can carry, shown by one plugin in one file. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { event, pod, priorityClass, type Pod } from "@knarr/api"
import { configurePlugin } from "@knarr/scheduler"
import { startControlPlane, type TestControlPlane } from "knarr/testing"
import { toyBoxes } from "./toy-boxes.plugin.ts"

const namespace = "default"
const start = (): Promise<TestControlPlane> =>
  startControlPlane({
    seed: 1,
    nodes: [{ name: "node-0", behaviour: () => ({ stopAfterMs: 10_000 }) }],
    // Before the preemption of all: what makes room first, is not asked to again.
    schedulerPlugins: (defaults) => [configurePlugin({ plugin: toyBoxes, args: { boxes: 2 } }), ...defaults],
  })

const podOf = (name: string, labels: Record<string, string>, priorityClassName?: string) => ({
  metadata: { namespace, name, labels },
  spec: {
    containers: [{ name: "c", image: "busybox" }],
    terminationGracePeriodSeconds: 20,
    ...(priorityClassName ? { priorityClassName } : {}),
  },
})

async function said(cluster: TestControlPlane, name: string, reason: string): Promise<string[]> {
  const { items } = await cluster.client.list(event, { namespace })
  return items
    .filter((one) => one.involvedObject.name === name && one.reason === reason)
    .map((one) => one.message ?? "")
}

const conditionOf = (of: Pod | undefined): readonly unknown[] => {
  const condition = of?.status.conditions?.find(({ type }) => type === "PodScheduled")
  return [condition?.status, condition?.reason, condition?.message]
}

test("permit holds a pod back until another comes, or rejects it when its time is over", async () => {
  await using cluster = await start()
  const { client, clock, informers } = cluster
  const pods = informers.informer(pod)
  const get = (name: string): Pod | undefined => pods.get({ namespace, name })
  await client.create(pod, podOf("a", { box: "yes", pair: "ab" }))
  await clock!.advance(29_000)
  assert.deepEqual(
    [get("a")?.spec.nodeName, ...conditionOf(get("a"))],
    [undefined, undefined, undefined, undefined],
  )
  assert.equal(get("a")?.status.nominatedNodeName, "node-0", "where it will be")
  await clock!.advance(2_000)
  const message = "0/1 nodes are available: 1 rejected due to timeout after waiting 30s at plugin ToyBoxes."
  assert.deepEqual(conditionOf(get("a")), ["False", "Unschedulable", message])
  assert.equal(get("a")?.status.nominatedNodeName, undefined)
  assert.deepEqual(await said(cluster, "a", "FailedScheduling"), [message])

  await client.create(pod, podOf("other", { pair: "other" }))
  await client.create(pod, podOf("b", { box: "yes", pair: "ab" }))
  await clock!.advance(5_000)
  assert.deepEqual([get("a")?.spec.nodeName, get("b")?.spec.nodeName], ["node-0", "node-0"])
  assert.equal(get("other")?.spec.nodeName, undefined)
  const boxes = [...(await said(cluster, "a", "Boxed")), ...(await said(cluster, "b", "Boxed"))]
  assert.equal(new Set(boxes).size, 2, boxes.join())
})

test("postFilter asks what would be, evicts, and nominates: nobody of lower priority takes the place", async () => {
  await using cluster = await start()
  const { client, clock, informers } = cluster
  const pods = informers.informer(pod)
  const get = (name: string): Pod | undefined => pods.get({ namespace, name })
  await client.create(priorityClass, { metadata: { name: "high" }, value: 1000 })
  for (const name of ["a", "b"]) await client.create(pod, podOf(name, { box: "yes" }))
  await clock!.advance(10_000)
  assert.deepEqual([get("a")?.spec.nodeName, get("b")?.spec.nodeName], ["node-0", "node-0"])

  await client.create(pod, podOf("important", { box: "yes" }, "high"))
  await clock!.advance(1_000)
  const [, , message] = conditionOf(get("important"))
  assert.equal(
    message,
    "0/1 nodes are available: 1 node(s) had no free boxes. toys: found a place on node node-0, evicting 1 pods",
  )
  assert.equal(get("important")?.status.nominatedNodeName, "node-0")
  const leaving = ["a", "b"].filter((name) => get(name)?.metadata.deletionTimestamp)
  assert.equal(leaving.length, 1)

  await client.create(pod, podOf("late", { box: "yes" }))
  await clock!.runUntil(() => get("important")?.spec.nodeName !== undefined, {
    limitMs: 60_000,
    what: "the important pod to have its node",
  })
  await clock!.advance(10_000)
  assert.equal(get(leaving[0]!), undefined)
  assert.equal(get("important")?.spec.nodeName, "node-0")
  assert.equal(get("late")?.spec.nodeName, undefined)
  assert.match(
    String(conditionOf(get("late"))[2]),
    /^0\/1 nodes are available: 1 node\(s\) had no free boxes\./,
  )
})

test("a plugin that does not take its arguments keeps the scheduler from starting", async () => {
  await assert.rejects(
    startControlPlane({
      seed: 1,
      schedulerPlugins: [configurePlugin({ plugin: toyBoxes, args: { boxes: 0 } })],
    }),
    {
      message:
        "initializing profiles: creating profile for scheduler name default-scheduler: " +
        'initializing plugin "ToyBoxes": boxes: Invalid value: 0: must be greater than 0',
    },
  )
})
