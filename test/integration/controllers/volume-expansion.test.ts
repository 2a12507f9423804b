import assert from "node:assert/strict"
import { test } from "node:test"
import { event, persistentVolume, persistentVolumeClaim, storageClass } from "@knarr/api"
import { startCluster } from "./cluster.ts"

test("a claim that grows says who makes its volume larger, once", async () => {
  await using cluster = await startCluster()
  const { client } = cluster
  const namespace = "default"
  await client.create(storageClass, {
    metadata: { name: "grows" },
    provisioner: "csi.example.com",
    allowVolumeExpansion: true,
  })
  const sources: [string, object][] = [
    ["csi", { csi: { driver: "csi.example.com", volumeHandle: "h" } }],
    ["ebs", { awsElasticBlockStore: { volumeID: "v" } }],
  ]
  for (const [name, source] of sources) {
    const size = { storage: "1Gi" }
    const rest = { accessModes: ["ReadWriteOnce"], storageClassName: "grows" }
    const claimRef = { namespace, name }
    await client.create(persistentVolume, {
      metadata: { name },
      spec: { ...rest, capacity: size, claimRef, ...source },
    })
    await client.create(persistentVolumeClaim, {
      metadata: { namespace, name },
      spec: { ...rest, resources: { requests: size } },
    })
    await cluster.until(
      "bound",
      () => cluster.get(persistentVolumeClaim, name, namespace)?.status.phase === "Bound",
    )
    const patch = { spec: { resources: { requests: { storage: "2Gi" } } } }
    await client.patch(persistentVolumeClaim, { namespace, name }, "merge", patch)
  }
  await cluster.clock.advance(3000)
  await client.patch(persistentVolumeClaim, { namespace, name: "csi" }, "merge", {
    metadata: { labels: { a: "b" } },
  })
  await cluster.clock.advance(3000)
  const said = cluster
    .list(event, namespace)
    .filter(({ reason }) => reason === "ExternalExpanding")
    .map(({ involvedObject, message, count, source }) => [
      involvedObject.name,
      message,
      count,
      source?.component,
    ])
  assert.deepEqual(said.sort(), [
    ["csi", "waiting for an external controller to expand this PVC", 1, "volume_expand"],
    [
      "ebs",
      "CSI migration enabled for kubernetes.io/aws-ebs; waiting for external resizer to expand the pvc",
      1,
      "volume_expand",
    ],
  ])
  assert.equal(
    cluster.get(persistentVolumeClaim, "ebs", namespace)!.metadata.annotations![
      "volume.kubernetes.io/storage-resizer"
    ],
    "ebs.csi.aws.com",
  )
})
