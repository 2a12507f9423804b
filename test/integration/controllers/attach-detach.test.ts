import assert from "node:assert/strict"
import { test } from "node:test"
import {
  csiDriver,
  event,
  node,
  persistentVolume,
  persistentVolumeClaim,
  pod,
  volumeAttachment,
  type VolumeAttachment,
} from "@knarr/api"
import { startCluster, type TestCluster } from "./cluster.ts"

const namespace = "default"
const uniqueName = "kubernetes.io/csi/csi.example.com^handle-v"
const managed = { "volumes.kubernetes.io/controller-managed-attach-detach": "true" }

/** Two ready nodes, and a claim that has a volume of a CSI driver. */
async function clusterWithVolume(accessModes: string[] = ["ReadWriteOnce"]): Promise<TestCluster> {
  const cluster = await startCluster()
  const { client } = cluster
  for (const name of ["a", "b"]) {
    await cluster.addNode(name)
    await client.patch(node, { name }, "merge", { metadata: { annotations: managed } })
  }
  const capacity = { storage: "1Gi" }
  await client.create(persistentVolume, {
    metadata: { name: "v" },
    spec: { accessModes, capacity, csi: { driver: "csi.example.com", volumeHandle: "handle-v" } },
  })
  await client.create(persistentVolumeClaim, {
    metadata: { namespace, name: "c" },
    spec: { accessModes, resources: { requests: capacity } },
  })
  return cluster
}

const usePod = ({ client }: TestCluster, name: string, nodeName: string): Promise<unknown> =>
  client.create(pod, {
    metadata: { namespace, name },
    spec: {
      nodeName,
      containers: [{ name: "c", image: "c" }],
      volumes: [{ name: "v", persistentVolumeClaim: { claimName: "c" } }],
    },
  } as never)

const removePod = ({ client }: TestCluster, name: string): Promise<unknown> =>
  client.delete(pod, { namespace, name }, { gracePeriodSeconds: 0 })

const attachmentOn = (cluster: TestCluster, nodeName: string): VolumeAttachment | undefined =>
  cluster.list(volumeAttachment).find(({ spec }) => spec.nodeName === nodeName)

/** Plays the driver. */
async function attached(
  cluster: TestCluster,
  nodeName: string,
  status: object = { attached: true },
): Promise<void> {
  await cluster.until("an attachment", () => attachmentOn(cluster, nodeName) !== undefined)
  const { name } = attachmentOn(cluster, nodeName)!.metadata
  await cluster.client.patch(volumeAttachment, { name }, "merge", { status }, { subresource: "status" })
}

/** Plays the kubelet. */
const inUse = ({ client }: TestCluster, name: string, volumesInUse: string[]): Promise<unknown> =>
  client.patch(node, { name }, "merge", { status: { volumesInUse } }, { subresource: "status" })

const reported = (cluster: TestCluster, name: string): (string | undefined)[] =>
  (cluster.get(node, name)!.status.volumesAttached ?? []).map((one) => one.name)

const eventsOf = (cluster: TestCluster, name: string): (string | undefined)[] =>
  cluster
    .list(event, namespace)
    .filter((one) => one.involvedObject.name === name && one.reason?.includes("Attach"))
    .map((one) => one.message)

test("a volume comes to the node of its pod, is reported, and goes when the node has let go of it", async () => {
  await using cluster = await clusterWithVolume()
  await usePod(cluster, "one", "a")
  await attached(cluster, "a")
  const attachment = attachmentOn(cluster, "a")!
  // sha256 of handle, driver and node.
  assert.equal(
    attachment.metadata.name,
    "csi-77471ddcf74a31e50afa91d6052d22c08a84fb2d8f31e39956c0b6465ec0ae72",
  )
  assert.deepEqual(attachment.spec, {
    attacher: "csi.example.com",
    nodeName: "a",
    source: { persistentVolumeName: "v" },
  })
  await cluster.until("the report", () => reported(cluster, "a").includes(uniqueName))
  await cluster.until("the event", () => eventsOf(cluster, "one").length > 0)
  assert.deepEqual(eventsOf(cluster, "one"), ['AttachVolume.Attach succeeded for volume "v" '])
  const metrics = cluster.env.meter.text()
  const plugin = "kubernetes.io/csi:csi.example.com"
  for (const line of [
    `storage_count_attachable_volumes_in_use{node="a",volume_plugin="${plugin}"} 1`,
    `attachdetach_controller_total_volumes{plugin_name="${plugin}",state="actual_state_of_world"} 1`,
    `attachdetach_controller_total_volumes{plugin_name="${plugin}",state="desired_state_of_world"} 1`,
  ])
    assert.ok(metrics.includes(`\n${line}\n`), line)
  await inUse(cluster, "a", [uniqueName])
  await removePod(cluster, "one")
  await cluster.clock.advance(60_000)
  assert.ok(attachmentOn(cluster, "a"), "still mounted")
  await inUse(cluster, "a", [])
  await cluster.until("no attachment", () => attachmentOn(cluster, "a") === undefined)
  assert.deepEqual(reported(cluster, "a"), [])
})

test("a volume of one node waits for the other, and says for whom", async () => {
  await using cluster = await clusterWithVolume()
  await usePod(cluster, "one", "a")
  await attached(cluster, "a")
  await inUse(cluster, "a", [uniqueName])
  await usePod(cluster, "two", "b")
  await cluster.until("the event", () => eventsOf(cluster, "two").length > 0)
  assert.deepEqual(eventsOf(cluster, "two"), [
    'Waiting for detach for volume "v" Volume is already used by pod(s) one',
  ])
  await removePod(cluster, "one")
  await inUse(cluster, "a", [])
  await attached(cluster, "b")
  assert.equal(attachmentOn(cluster, "a"), undefined)
})

test("a volume of many nodes comes to all of them", async () => {
  await using cluster = await clusterWithVolume(["ReadWriteMany"])
  await usePod(cluster, "one", "a")
  await usePod(cluster, "two", "b")
  await attached(cluster, "a")
  await attached(cluster, "b")
})

test("what a driver cannot attach is said, and so is a driver that does not answer", async () => {
  await using cluster = await clusterWithVolume()
  await usePod(cluster, "one", "a")
  await cluster.clock.advance(130_000)
  assert.deepEqual(eventsOf(cluster, "one"), [
    'AttachVolume.Attach failed for volume "v" : timed out waiting for external-attacher of csi.example.com CSI driver to attach volume handle-v',
  ])
  await attached(cluster, "a", { attached: false, attachError: { message: "no such disk" } })
  await cluster.until("the event", () => eventsOf(cluster, "one").length > 1)
  assert.equal(eventsOf(cluster, "one")[1], 'AttachVolume.Attach failed for volume "v" : no such disk')
})

test("a driver that attaches nothing is not asked to", async () => {
  await using cluster = await clusterWithVolume()
  await cluster.client.create(csiDriver, {
    metadata: { name: "csi.example.com" },
    spec: { attachRequired: false },
  })
  await cluster.clock.advance(1000)
  await usePod(cluster, "one", "a")
  await cluster.clock.advance(10_000)
  assert.equal(attachmentOn(cluster, "a"), undefined)
})

test("a node that is gone loses its volumes after six minutes, and at once when it is said to be out of service", async () => {
  for (const isOutOfService of [false, true]) {
    await using cluster = await clusterWithVolume()
    const { client } = cluster
    await usePod(cluster, "one", "a")
    await attached(cluster, "a")
    await cluster.until("the report", () => reported(cluster, "a").includes(uniqueName))
    await inUse(cluster, "a", [uniqueName])
    await cluster.clock.advance(1000)
    await removePod(cluster, "one")
    if (isOutOfService) {
      const taints = [{ key: "node.kubernetes.io/out-of-service", value: "x", effect: "NoExecute" }]
      await client.patch(node, { name: "a" }, "strategic", { spec: { taints } })
    }
    // Nobody renews the node's lease: it is not ready soon.
    await cluster.clock.advance(5 * 60_000)
    assert.equal(attachmentOn(cluster, "a") === undefined, isOutOfService)
    await cluster.clock.advance(90_000)
    assert.equal(attachmentOn(cluster, "a"), undefined)
    const reason = isOutOfService ? "out-of-service" : "timeout"
    assert.match(
      cluster.env.meter.text(),
      new RegExp(`attachdetach_controller_forced_detaches\\{reason="${reason}"\\} 1\\n`),
    )
  }
})
