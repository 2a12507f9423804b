import assert from "node:assert/strict"
import { test } from "node:test"
import { deployment, event, node, pod } from "@knarr/api"
import { startControlPlane } from "knarr/testing"

const podTemplate = {
  metadata: { labels: { app: "web" } },
  spec: { containers: [{ name: "web", image: "web:1", resources: { requests: { cpu: "100m" } } }] },
}

test("a deployment's pods are made and get a node", async () => {
  await using cluster = await startControlPlane({ seed: 1 })
  const { client, clock } = cluster
  await client.create(node, { metadata: { name: "a" }, spec: {} })
  const ready = {
    conditions: [{ type: "Ready", status: "True" }],
    allocatable: { cpu: "4", memory: "8Gi", pods: "110" },
    capacity: { cpu: "4", memory: "8Gi", pods: "110" },
  }
  await client.patch(node, { name: "a" }, "merge", { status: ready }, { subresource: "status" })
  await client.create(deployment, {
    metadata: { namespace: "default", name: "web" },
    spec: { replicas: 3, selector: { matchLabels: { app: "web" } }, template: podTemplate },
  })
  const pods = cluster.informers.informer(pod)
  await clock!.runUntil(() => pods.list().filter((p) => p.spec.nodeName === "a").length === 3, {
    limitMs: 60_000,
    what: "three pods on the node",
  })
  await clock!.advance(1_000)
  const events = await client.list(event, { namespace: "default" })
  const messages = events.items.map((e) => `${e.reason}: ${e.message}`)
  assert.ok(
    messages.includes(
      "ScalingReplicaSet: Scaled up replica set web-" +
        pods.list()[0]!.metadata.labels!["pod-template-hash"] +
        " from 0 to 3",
    ),
    messages.join("\n"),
  )
  assert.equal(
    messages.filter((m) => m.startsWith("Scheduled: Successfully assigned default/web-")).length,
    3,
  )
})
