import assert from "node:assert/strict"
import { test } from "node:test"
import { pod } from "knarr/api"
import { startControlPlane } from "knarr/testing"
import { previewController } from "./preview.controller.ts"
import { preview } from "./preview.kind.ts"

test("a preview runs for its three hours, and no longer", async () => {
  await using cluster = await startControlPlane({
    time: "virtual",
    seed: 1,
    // The operator alone: nothing else has to happen in these tests.
    controllerManager: false,
    scheduler: false,
    kinds: [preview],
    controllers: [previewController],
  })
  const { client, clock } = cluster
  const phases = async (): Promise<unknown[]> => {
    const shown = await client.get(preview, { namespace: "default", name: "shop" })
    const pods = await client.list(pod, { namespace: "default" })
    return [shown.status.phase, pods.items.length]
  }
  await client.create(preview, {
    metadata: { namespace: "default", name: "shop" },
    spec: { image: "shop:1", hours: 3 },
  })
  await clock.advance(2 * 3_600_000)
  assert.deepEqual(await phases(), ["Running", 1])
  await clock.advance(2 * 3_600_000)
  assert.deepEqual(await phases(), ["Over", 0])
})

test("a preview whose pod is taken away gets another", async () => {
  await using cluster = await startControlPlane({
    time: "virtual",
    // The operator alone: nothing else has to happen in these tests.
    controllerManager: false,
    scheduler: false,
    kinds: [preview],
    controllers: [previewController],
  })
  const { client, clock } = cluster
  const ref = { namespace: "default", name: "shop" }
  await client.create(preview, { metadata: ref, spec: { image: "shop:1", hours: 3 } })
  await clock.advance(60_000)
  const { metadata } = await client.get(pod, ref)
  await client.delete(pod, ref)
  await clock.advance(120_000)
  assert.notEqual((await client.get(pod, ref)).metadata.uid, metadata.uid)
})
