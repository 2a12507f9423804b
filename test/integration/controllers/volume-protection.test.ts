import assert from "node:assert/strict"
import { test } from "node:test"
import { persistentVolumeClaim, pod } from "@knarr/api"
import { isNotFound } from "@knarr/apimachinery"
import { startControlPlane } from "knarr/testing"

test("a claim goes when it is deleted and no running pod uses it any more", async () => {
  await using cluster = await startControlPlane({ seed: 1, nodes: 1 })
  const { client, clock } = cluster
  const namespace = "default"
  const make = (name: string): Promise<unknown> =>
    client.create(persistentVolumeClaim, {
      metadata: { namespace, name },
      spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
    })
  const there = async (name: string): Promise<boolean> => {
    await clock!.advance(1_000)
    return client.get(persistentVolumeClaim, { namespace, name }).then(
      () => true,
      (thrown: unknown) => !isNotFound(thrown),
    )
  }
  await make("free")
  await make("used")
  await client.create(pod, {
    metadata: { namespace, name: "user" },
    spec: {
      nodeName: cluster.nodes[0]!.name,
      containers: [{ name: "c", image: "c" }],
      volumes: [{ name: "v", persistentVolumeClaim: { claimName: "used" } }],
    },
  })
  for (const name of ["free", "used"]) await client.delete(persistentVolumeClaim, { namespace, name })
  assert.equal(await there("free"), false)
  assert.equal(await there("used"), true)
  await client.delete(pod, { namespace, name: "user" }, { gracePeriodSeconds: 0 })
  assert.equal(await there("used"), false)
})
