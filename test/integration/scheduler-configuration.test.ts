import assert from "node:assert/strict"
import { once } from "node:events"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
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

test("an extender refuses nodes, prefers others, and what it refuses is told", async () => {
  await using server = createServer(async (request, response) => {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece as Buffer)
    const { Pod: asked } = JSON.parse(Buffer.concat(pieces).toString())
    const isWanted = asked.metadata.name === "wanted"
    const answers: Record<string, unknown> = {
      "/filter": {
        NodeNames: isWanted ? ["node-0", "node-2"] : [],
        FailedNodes: isWanted ? {} : { "node-0": "no", "node-1": "no", "node-2": "no" },
      },
      "/prioritize": [{ Host: "node-2", Score: 10 }],
    }
    response.end(JSON.stringify(answers[request.url!]))
  })
  await once(server.listen(0, "127.0.0.1"), "listening")
  const urlPrefix = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const extender = { urlPrefix, filterVerb: "filter", prioritizeVerb: "prioritize", weight: 100 }
  await using cluster = await startControlPlane({
    port: false,
    nodes: 3,
    schedulerConfiguration: JSON.stringify({
      apiVersion: "kubescheduler.config.k8s.io/v1",
      kind: "KubeSchedulerConfiguration",
      extenders: [{ ...extender, nodeCacheCapable: true }],
    }),
  })
  const pods = cluster.informers.informer(pod)
  const outcome = new Promise<void>((resolve) => {
    const look = (): void => {
      const [wanted, other] = ["wanted", "other"].map((name) => pods.get({ namespace: "default", name }))
      if (wanted?.spec.nodeName && other?.status.conditions) resolve()
    }
    cluster.scope.use(pods.subscribe({ added: look, updated: look }))
  })
  for (const name of ["wanted", "other"])
    await cluster.client.create(pod, {
      metadata: { namespace: "default", name },
      spec: { containers: [{ name: "c", image: "c" }] },
    } as never)
  await outcome
  assert.equal(pods.get({ namespace: "default", name: "wanted" })?.spec.nodeName, "node-2")
  const { message } = pods.get({ namespace: "default", name: "other" })!.status.conditions![0]!
  assert.match(message!, /^0\/3 nodes are available: 3 no\. preemption:/)
})
