import assert from "node:assert/strict"
import { test } from "node:test"
import { pod } from "@knarr/api"
import { startControlPlane } from "knarr/testing"

const configuration = JSON.stringify({
  apiVersion: "kubescheduler.config.k8s.io/v1",
  kind: "KubeSchedulerConfiguration",
  profiles: [
    { schedulerName: "default-scheduler" },
    {
      schedulerName: "packing",
      plugins: {
        score: { disabled: [{ name: "*" }], enabled: [{ name: "NodeResourcesFit" }] },
        preScore: { disabled: [{ name: "*" }] },
      },
      pluginConfig: [
        {
          name: "NodeResourcesFit",
          args: { scoringStrategy: { type: "MostAllocated", resources: [{ name: "cpu", weight: 1 }] } },
        },
      ],
    },
  ],
})

test("each profile places the pods that name it, its own way; pods of another scheduler are left alone", async () => {
  await using cluster = await startControlPlane({
    seed: 5,
    nodes: 3,
    schedulerConfiguration: configuration,
  })
  const { client, clock, informers } = cluster
  const pods = informers.informer(pod)
  const create = async (name: string, schedulerName: string): Promise<void> => {
    await client.create(pod, {
      metadata: { namespace: "default", name },
      spec: {
        schedulerName,
        containers: [{ name: "c", image: "c", resources: { requests: { cpu: "500m" } } }],
      },
    } as never)
    if (schedulerName !== "nobody")
      await clock.runUntil(() => nodeOf(name) !== undefined, { what: `a node for ${name}`, limitMs: 60_000 })
  }
  const nodeOf = (name: string): string | undefined => pods.get({ namespace: "default", name })?.spec.nodeName
  await create("left", "nobody")
  for (const name of ["packed-1", "packed-2", "packed-3"]) await create(name, "packing")
  for (const name of ["spread-1", "spread-2"]) await create(name, "default-scheduler")
  assert.equal(new Set([nodeOf("packed-1"), nodeOf("packed-2"), nodeOf("packed-3")]).size, 1)
  assert.equal(new Set([nodeOf("packed-1"), nodeOf("spread-1"), nodeOf("spread-2")]).size, 3)
  await clock.advance(60_000)
  const left = pods.get({ namespace: "default", name: "left" })
  assert.deepEqual([left?.spec.nodeName, left?.status.conditions ?? []], [undefined, []])
})
