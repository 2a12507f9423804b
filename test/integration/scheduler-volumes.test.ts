import assert from "node:assert/strict"
import { test } from "node:test"
import { persistentVolume, persistentVolumeClaim, pod, storageClass } from "@knarr/api"
import type { KubeObject } from "@knarr/apimachinery"
import { startControlPlane, type VirtualControlPlane } from "knarr/testing"

const namespace = "default"
const selectedNode = "volume.kubernetes.io/selected-node"

async function inCluster(run: (cluster: VirtualControlPlane) => Promise<void>): Promise<void> {
  await using cluster = await startControlPlane({ seed: 7, nodes: 3 })
  await run(cluster)
}

const claimOf = (name: string, storageClassName: string): KubeObject =>
  ({
    metadata: { namespace, name },
    spec: { storageClassName, accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
  }) as never
const podOf = (name: string, ...claims: string[]): KubeObject =>
  ({
    metadata: { namespace, name },
    spec: {
      containers: [{ name: "c", image: "c" }],
      volumes: claims.map((claimName, i) => ({ name: `v${i}`, persistentVolumeClaim: { claimName } })),
    },
  }) as never
const volumeOn = (name: string, node: string, storageClassName: string): KubeObject =>
  ({
    metadata: { name },
    spec: {
      storageClassName,
      capacity: { storage: "1Gi" },
      accessModes: ["ReadWriteOnce"],
      local: { path: "/data" },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: [node] }] },
          ],
        },
      },
    },
  }) as never
const classOf = (name: string, provisioner: string): KubeObject =>
  ({ metadata: { name }, provisioner, volumeBindingMode: "WaitForFirstConsumer" }) as never

test("claims that wait for their pod are bound to volumes of the node that it gets, none to two", () =>
  inCluster(async ({ client, clock, informers, decisions }) => {
    const pods = informers.informer(pod)
    const claims = informers.informer(persistentVolumeClaim)
    await client.create(storageClass, classOf("local", "kubernetes.io/no-provisioner") as never)
    for (const node of ["node-0", "node-1", "node-2"])
      await client.create(persistentVolume, volumeOn(`on-${node}`, node, "local") as never)
    for (const name of ["a", "b", "c", "d"]) {
      await client.create(persistentVolumeClaim, claimOf(name, "local") as never)
      await client.create(pod, podOf(name, name) as never)
    }
    const placed = () => pods.list(namespace).filter(({ spec }) => spec.nodeName)
    await clock.runUntil(() => placed().length === 3, { what: "three pods to be placed", limitMs: 60_000 })
    for (const one of placed())
      assert.equal(
        claims.get({ namespace, name: one.metadata.name })?.spec.volumeName,
        `on-${one.spec.nodeName}`,
      )
    const [left] = pods.list(namespace).filter(({ spec }) => !spec.nodeName)
    await clock.runUntil(() => pods.get(left!.metadata as never)?.status.conditions !== undefined, {
      what: "the last one to be told",
      limitMs: 60_000,
    })
    const { message } = pods.get(left!.metadata as never)!.status.conditions![0]!
    assert.match(message!, /3 node\(s\) didn't find available persistent volumes to bind/)
    const [record] = decisions.list(namespace, left!.metadata.name)
    const { plugin, count, nodes } = record!.refusals[0]!
    assert.deepEqual([plugin, count, nodes.toSorted()], ["VolumeBinding", 3, ["node-0", "node-1", "node-2"]])
    await client.create(persistentVolume, volumeOn("more", "node-1", "local") as never)
    await clock.runUntil(() => pods.get(left!.metadata as never)?.spec.nodeName === "node-1", {
      what: "the last one to get the new volume's node",
      limitMs: 60_000,
    })
  }))

test("a provisioner is told the node, and the pod is placed anew when it cannot make the volume there", () =>
  inCluster(async ({ client, clock, informers }) => {
    const pods = informers.informer(pod)
    const claims = informers.informer(persistentVolumeClaim)
    const claim = () => claims.get({ namespace, name: "a" })
    const chosen = () => claim()?.metadata.annotations?.[selectedNode]
    await client.create(storageClass, classOf("made", "d.example.com") as never)
    await client.create(persistentVolumeClaim, claimOf("a", "made") as never)
    await client.create(pod, podOf("a", "a") as never)
    await clock.runUntil(() => chosen() !== undefined, { what: "a node to be chosen", limitMs: 60_000 })
    const annotations = { [selectedNode]: null }
    await client.patch(persistentVolumeClaim, claim()!.metadata as never, "merge", {
      metadata: { annotations },
    })
    await clock.runUntil(() => chosen() === undefined, { what: "it to be taken back", limitMs: 60_000 })
    assert.equal(pods.get({ namespace, name: "a" })?.spec.nodeName, undefined)
    await clock.runUntil(() => chosen() !== undefined, { what: "a node to be chosen again", limitMs: 60_000 })
    const node = chosen()!
    const made = volumeOn("made", node, "made")
    const claimRef = {
      namespace,
      name: "a",
      uid: claim()!.metadata.uid,
      kind: "PersistentVolumeClaim",
      apiVersion: "v1",
    }
    await client.create(persistentVolume, {
      ...made,
      spec: { ...(made as never as { spec: object }).spec, claimRef },
    } as never)
    await clock.runUntil(() => pods.get({ namespace, name: "a" })?.spec.nodeName === node, {
      what: "the pod to be placed there",
      limitMs: 60_000,
    })
  }))
