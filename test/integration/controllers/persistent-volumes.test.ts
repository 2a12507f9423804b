import assert from "node:assert/strict"
import { test } from "node:test"
import {
  event,
  persistentVolume,
  persistentVolumeClaim,
  pod,
  storageClass,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
} from "@knarr/api"
import type { Client } from "@knarr/client"
import type { Controller } from "@knarr/controller-kit"
import { startCluster, type TestCluster } from "./cluster.ts"

const namespace = "default"

const makeVolume = (
  client: Client,
  name: string,
  spec: object = {},
  metadata: object = {},
): Promise<unknown> =>
  client.create(persistentVolume, {
    metadata: { name, ...metadata },
    spec: {
      accessModes: ["ReadWriteOnce"],
      capacity: { storage: "1Gi" },
      hostPath: { path: "/mnt/data" },
      ...spec,
    },
  } as never)

const makeClaim = (
  client: Client,
  name: string,
  spec: object = {},
  metadata: object = {},
): Promise<unknown> =>
  client.create(persistentVolumeClaim, {
    metadata: { namespace, name, ...metadata },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } }, ...spec },
  } as never)

const makeClass = (client: Client, name: string, rest: object = {}): Promise<unknown> =>
  client.create(storageClass, {
    metadata: { name },
    provisioner: "kubernetes.io/no-provisioner",
    ...rest,
  } as never)

const claimOf = (cluster: TestCluster, name: string): PersistentVolumeClaim | undefined =>
  cluster.get(persistentVolumeClaim, name, namespace)
const volumeOf = (cluster: TestCluster, name: string): PersistentVolume | undefined =>
  cluster.get(persistentVolume, name)
const untilClaim = (cluster: TestCluster, name: string, phase: string): Promise<void> =>
  cluster.until(`${name} ${phase}`, () => claimOf(cluster, name)?.status.phase === phase)
const untilVolume = (cluster: TestCluster, name: string, phase: string): Promise<void> =>
  cluster.until(`${name} ${phase}`, () => volumeOf(cluster, name)?.status.phase === phase)
const eventsOf = (cluster: TestCluster, name: string): string[] =>
  cluster
    .list(event)
    .filter((one) => one.involvedObject.name === name)
    .map((one) => `${one.type} ${one.reason}: ${one.message}`)

test("a claim and a volume find one another, and say so on both sides", async () => {
  await using cluster = await startCluster()
  const { client } = cluster
  await makeClaim(client, "early")
  await cluster.until("an event", () => eventsOf(cluster, "early").length > 0)
  assert.deepEqual(eventsOf(cluster, "early"), [
    "Normal FailedBinding: no persistent volumes available for this claim and no storage class is set",
  ])
  await makeVolume(client, "large", { capacity: { storage: "5Gi" } })
  await untilClaim(cluster, "early", "Bound")
  const claim = claimOf(cluster, "early")!
  assert.equal(claim.spec.volumeName, "large")
  assert.deepEqual(claim.metadata.annotations, {
    "pv.kubernetes.io/bind-completed": "yes",
    "pv.kubernetes.io/bound-by-controller": "yes",
  })
  assert.deepEqual(claim.status.capacity, { storage: "5Gi" })
  const metrics = cluster.env.meter.text()
  for (const line of [
    'pv_collector_total_pv_count{plugin_name="kubernetes.io/host-path",volume_mode="Filesystem"} 1',
    'pv_collector_bound_pv_count{storage_class=""} 1',
    'pv_collector_bound_pvc_count{namespace="default",storage_class="",volume_attributes_class=""} 1',
  ])
    assert.ok(metrics.includes(`\n${line}\n`), line)
  const volume = volumeOf(cluster, "large")!
  assert.equal(volume.status.phase, "Bound")
  assert.deepEqual(volume.metadata.annotations, { "pv.kubernetes.io/bound-by-controller": "yes" })
  assert.equal(volume.spec.claimRef?.uid, claim.metadata.uid)
  assert.equal(
    cluster.list(event).find((one) => one.involvedObject.name === "early")!.source?.component,
    "persistentvolume-controller",
  )
})

test("every claim of many gets a volume of its own", async () => {
  await using cluster = await startCluster()
  const { client } = cluster
  const names = Array.from({ length: 20 }, (_, i) => `x${i}`)
  await Promise.all(names.flatMap((name) => [makeVolume(client, name), makeClaim(client, name)]))
  await cluster.until("all bound", () =>
    names.every((name) => claimOf(cluster, name)?.status.phase === "Bound"),
  )
  const volumes = names.map((name) => claimOf(cluster, name)!.spec.volumeName)
  assert.deepEqual([...new Set(volumes)].sort(), [...names].sort())
})

test("a class that becomes the default is that of claims from before", async () => {
  await using cluster = await startCluster()
  const { client } = cluster
  await makeClaim(client, "classless")
  await makeClass(client, "default", {
    metadata: { name: "default", annotations: { "storageclass.kubernetes.io/is-default-class": "true" } },
    volumeBindingMode: "WaitForFirstConsumer",
  })
  await cluster.until("a class", () => claimOf(cluster, "classless")!.spec.storageClassName === "default")
})

test("a volume whose claim is gone is kept, failed, or recycled", async () => {
  await using cluster = await startCluster()
  const { client } = cluster
  await cluster.addNode("node-a")
  const policies: [string, object][] = [
    ["kept", {}],
    ["delete", { persistentVolumeReclaimPolicy: "Delete" }],
    [
      "outside",
      {
        persistentVolumeReclaimPolicy: "Delete",
        hostPath: undefined,
        csi: { driver: "d", volumeHandle: "h" },
      },
    ],
    ["recycled", { persistentVolumeReclaimPolicy: "Recycle" }],
  ]
  for (const [name, spec] of policies) {
    await makeVolume(client, name, { ...spec, claimRef: { namespace, name } })
    await makeClaim(client, name)
    await untilClaim(cluster, name, "Bound")
    await client.delete(persistentVolumeClaim, { namespace, name })
  }
  await untilVolume(cluster, "kept", "Released")
  await untilVolume(cluster, "outside", "Released")
  await untilVolume(cluster, "delete", "Failed")
  const cannot = "host_path deleter only supports /tmp/.+ but received provided /mnt/data"
  assert.equal(volumeOf(cluster, "delete")!.status.message, cannot)
  await cluster.until("the event", () => eventsOf(cluster, "delete").length > 0)
  assert.deepEqual(eventsOf(cluster, "delete"), [`Warning VolumeFailedDelete: ${cannot}`])
  const recycler = (): Pod | undefined => cluster.get(pod, "recycler-for-recycled", namespace)
  await cluster.until("a recycler", () => recycler() !== undefined)
  assert.equal(recycler()!.spec.volumes![0]!.hostPath!.path, "/mnt/data")
  const ref = { namespace, name: "recycler-for-recycled" }
  const involvedObject = { kind: "Pod", ...ref, uid: recycler()!.metadata.uid }
  const told = { type: "Normal", reason: "Pulled", message: "pulled it" }
  await client.create(event, { metadata: { namespace, name: "told" }, involvedObject, ...told } as never)
  const stranger = { ...involvedObject, uid: "another" }
  await client.create(event, {
    metadata: { namespace, name: "no" },
    ...told,
    involvedObject: stranger,
  } as never)
  await cluster.until("the event", () => eventsOf(cluster, "recycled").length > 0)
  await client.patch(pod, ref, "merge", { status: { phase: "Succeeded" } }, { subresource: "status" })
  await untilVolume(cluster, "recycled", "Available")
  // The user meant it for a claim of that name: it still is.
  assert.deepEqual(volumeOf(cluster, "recycled")!.spec.claimRef?.uid, undefined)
  await cluster.until("the event", () => eventsOf(cluster, "recycled").length > 1)
  assert.deepEqual(eventsOf(cluster, "recycled"), [
    "Normal RecyclerPod: Recycler pod: pulled it",
    "Normal VolumeRecycled: Volume recycled",
  ])
})

test("a recycler that somebody else made recycles nothing", async () => {
  await using cluster = await startCluster()
  const { client } = cluster
  await makeVolume(client, "v", { persistentVolumeReclaimPolicy: "Recycle" })
  await makeClaim(client, "c")
  await untilClaim(cluster, "c", "Bound")
  const ref = { namespace, name: "recycler-for-v" }
  await client.create(pod, { metadata: ref, spec: { containers: [{ name: "c", image: "c" }] } } as never)
  await client.patch(pod, ref, "merge", { status: { phase: "Succeeded" } }, { subresource: "status" })
  await client.delete(persistentVolumeClaim, { namespace, name: "c" })
  await untilVolume(cluster, "v", "Failed")
  assert.equal(
    volumeOf(cluster, "v")!.status.message,
    "Recycle failed: old recycler pod found, will retry later",
  )
})

test("a bound claim whose volume is gone is lost", async () => {
  await using cluster = await startCluster()
  const { client } = cluster
  await makeVolume(client, "v")
  await makeClaim(client, "c")
  await untilClaim(cluster, "c", "Bound")
  await client.delete(persistentVolume, { name: "v" })
  await client.patch(persistentVolume, { name: "v" }, "merge", { metadata: { finalizers: null } })
  await untilClaim(cluster, "c", "Lost")
  await cluster.until("the event", () => eventsOf(cluster, "c").some((text) => text.includes("ClaimLost")))
  assert.ok(
    eventsOf(cluster, "c").includes(
      "Warning ClaimLost: Bound claim has lost its PersistentVolume. Data on the volume is lost!",
    ),
  )
})

/** The binder as a process that ends after each of its writes, once: what it knew is gone. */
function cutAfterEachWrite(cuts: string[]): (controller: Controller) => Controller {
  return (controller) => {
    if (controller.name !== "persistentvolume-binder-controller") return controller
    return {
      ...controller,
      reconcile(ref, ctx) {
        const client = new Proxy(ctx.client, {
          get(target, property) {
            const value: unknown = Reflect.get(target, property)
            if (property !== "update") return typeof value === "function" ? value.bind(target) : value
            return async (...args: Parameters<Client["update"]>) => {
              const written = await target.update(...args)
              cuts.push(`${args[0].plural}/${args[2]?.subresource ?? ""}`)
              throw new Error(`cut off after ${written.metadata.name}`)
            }
          },
        })
        return controller.reconcile!(ref, { ...ctx, client })
      },
    }
  }
}

test("a binding that is cut off after any of its writes is finished", async () => {
  const cuts: string[] = []
  await using cluster = await startCluster({ adapt: cutAfterEachWrite(cuts) })
  const { client } = cluster
  await makeVolume(client, "a")
  await makeVolume(client, "b")
  await untilVolume(cluster, "b", "Available")
  await makeClaim(client, "one")
  await makeClaim(client, "two")
  await untilClaim(cluster, "one", "Bound")
  await untilClaim(cluster, "two", "Bound")
  const names = ["one", "two"].map((name) => claimOf(cluster, name)!.spec.volumeName!)
  assert.deepEqual([...names].sort(), ["a", "b"])
  for (const [i, name] of names.entries())
    assert.equal(volumeOf(cluster, name)!.spec.claimRef?.name, ["one", "two"][i])
  const count = (what: string): number => cuts.filter((one) => one === what).length
  assert.deepEqual(
    ["persistentvolumes/", "persistentvolumeclaims/", "persistentvolumeclaims/status"].map(count),
    [2, 2, 2],
  )
})
