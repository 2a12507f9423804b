import assert from "node:assert/strict"
import { test } from "node:test"
import { configMap, deployment, event, kinds, pod } from "@knarr/api"
import { allow, defineController } from "@knarr/controller-kit"
import { startCluster, template } from "./cluster.ts"

/** Everything that is in the cluster after a while, as text. */
async function history(seed: number): Promise<string> {
  await using cluster = await startCluster({ seed })
  for (const name of ["node-a", "node-b"]) await cluster.addNode(name)
  for (const name of ["x", "y", "z"]) {
    await cluster.client.create(deployment, {
      metadata: { name, namespace: "default" },
      spec: { replicas: 4, selector: { matchLabels: { app: name } }, template: template({ app: name }) },
    })
  }
  for (let i = 0; i < 5; i++) {
    await cluster.clock.advance(700)
    const waiting = cluster.list(pod, "default").filter((one) => one.status?.phase !== "Running")
    for (const one of waiting) await cluster.makeReady(one)
  }
  await cluster.client.delete(
    deployment,
    { namespace: "default", name: "y" },
    { propagationPolicy: "Foreground" },
  )
  await cluster.clock.advance(120_000)
  const objects = kinds.flatMap((kind) => {
    try {
      return cluster.list(kind).map((obj) => JSON.stringify(obj))
    } catch {
      return []
    }
  })
  return objects.sort().join("\n")
}

test("The same seed gives the same history, to the last uid and revision", async () => {
  const first = await history(7)
  assert.ok(first.includes("ScalingReplicaSet"))
  assert.equal(await history(7), first)
})

test("A controller that asks for what it did not declare is refused, and tried again", async () => {
  const greedy = defineController({
    name: "greedy-controller",
    serviceAccount: "greedy-controller",
    rbac: [allow("", "configmaps", "get")],
    for: configMap,
    async reconcile(ref, { client, signal }) {
      if (ref.name === "mine") await client.delete(configMap, ref, { signal })
    },
  })
  const cluster = await startCluster({ extra: [greedy] })
  await cluster.client.create(configMap, { metadata: { name: "mine", namespace: "default" } })
  await cluster.clock.advance(2000)
  assert.ok(cluster.get(configMap, "mine", "default"))
  assert.equal(cluster.list(event, "default").length, 0)
  await assert.rejects(async () => cluster[Symbol.asyncDispose](), /do not allow/)
})
