import assert from "node:assert/strict"
import { test } from "node:test"
import { event, persistentVolumeClaim, pod, type Event, type PersistentVolumeClaim } from "@knarr/api"
import { startCluster } from "./cluster.ts"

const namespace = "default"
const podWith = (name: string): never =>
  ({
    metadata: { namespace, name },
    spec: {
      containers: [{ name: "c", image: "c" }],
      volumes: [
        {
          name: "scratch",
          ephemeral: {
            volumeClaimTemplate: {
              metadata: { labels: { a: "b" }, annotations: { c: "d" } },
              spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
            },
          },
        },
      ],
    },
  }) as never

test("a pod's own volume gets a claim, which is made again when it is deleted, and goes with the pod", async () => {
  await using cluster = await startCluster()
  const { client } = cluster
  const ref = { namespace, name: "one-scratch" }
  const claim = (): PersistentVolumeClaim | undefined =>
    cluster.get(persistentVolumeClaim, ref.name, namespace)
  await client.create(pod, podWith("one"))
  await cluster.until("a claim", () => claim() !== undefined)
  const { uid } = cluster.get(pod, "one", namespace)!.metadata
  const first = claim()!.metadata
  assert.deepEqual(first.labels, { a: "b" })
  assert.deepEqual(first.annotations, { c: "d" })
  assert.deepEqual(first.ownerReferences, [
    { apiVersion: "v1", kind: "Pod", name: "one", uid, controller: true, blockOwnerDeletion: true },
  ])
  await client.delete(persistentVolumeClaim, ref)
  await cluster.until("another claim", () => claim() !== undefined && claim()!.metadata.uid !== first.uid)
  await client.delete(pod, { namespace, name: "one" }, { gracePeriodSeconds: 0 })
  await cluster.until("no claim", () => claim() === undefined)
})

test("somebody else's claim of the name is not taken, and it is said", async () => {
  await using cluster = await startCluster()
  const { client } = cluster
  await client.create(persistentVolumeClaim, {
    metadata: { namespace, name: "two-scratch" },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
  })
  await client.create(pod, podWith("two"))
  const mine = (): Event[] =>
    cluster.list(event, namespace).filter((one) => one.involvedObject.kind === "Pod")
  await cluster.until("the event", () => mine().length > 0)
  assert.equal(
    mine()[0]!.message,
    "ephemeral volume scratch: PVC default/two-scratch was not created for pod default/two (pod is not owner)",
  )
  assert.equal(mine()[0]!.source?.component, "ephemeral_volume")
})
