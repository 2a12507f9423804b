import assert from "node:assert/strict"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import {
  persistentVolume,
  persistentVolumeClaim,
  pod,
  statefulSet,
  storageClass,
  type Creatable,
  type Pod,
  type StatefulSet,
} from "@knarr/api"
import { buildHelloImage } from "../../examples/hello/image.ts"
import { KnarrHome, eventually } from "./knarr-command.ts"

const namespace = "default"
const storageClassName = "by-hand"
const capacity = { storage: "1Gi" }
const accessModes = ["ReadWriteOnce"]
/** Each start writes a line into the volume, and one into a folder below it. */
const script = "hostname >> /data/starts; hostname >> /below/starts; while :; do sleep 1; done"

test(
  "a StatefulSet's pods go where the volumes of their claims are, and find their files again",
  { timeout: 120_000 },
  async () => {
    await using home = new KnarrHome("volumes")
    await home.up("--agents", "1")
    await home.loadImage(await buildHelloImage("1"))
    const { client, transport } = await home.connect()
    using _transport = transport
    const folders = ["local", "host"].map((name) => join(home.dir, name))
    for (const folder of folders) {
      mkdirSync(folder)
      writeFileSync(join(folder, "starts"), "before\n")
    }
    await client.create(storageClass, {
      metadata: { name: storageClassName },
      provisioner: "kubernetes.io/no-provisioner",
      volumeBindingMode: "WaitForFirstConsumer",
    })
    const onNode = (name: string): object => {
      const matchExpressions = [{ key: "kubernetes.io/hostname", operator: "In", values: [name] }]
      return { nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions }] } } }
    }
    const common = { accessModes, capacity, storageClassName }
    await client.create(persistentVolume, {
      metadata: { name: "local" },
      spec: { ...common, local: { path: folders[0]! }, ...onNode("node-1") },
    })
    await client.create(persistentVolume, {
      metadata: { name: "host" },
      spec: { ...common, hostPath: { path: folders[1]! }, ...onNode("node-0") },
    })
    await client.create(statefulSet, {
      metadata: { namespace, name: "web" },
      spec: {
        replicas: 2,
        serviceName: "web",
        selector: { matchLabels: { app: "web" } },
        template: {
          metadata: { labels: { app: "web" } },
          spec: {
            terminationGracePeriodSeconds: 0,
            securityContext: { fsGroup: 4321 },
            containers: [
              {
                name: "main",
                image: "hello:1",
                command: ["sh", "-c", script],
                volumeMounts: [
                  { name: "data", mountPath: "/data" },
                  { name: "data", mountPath: "/below", subPath: "deep/er" },
                ],
              },
            ],
          },
        },
        volumeClaimTemplates: [
          {
            metadata: { name: "data" },
            spec: { accessModes, storageClassName, resources: { requests: capacity } },
          },
        ],
      },
    } as unknown as Creatable<StatefulSet>)
    const running = (name: string, notUid = ""): Promise<Pod> =>
      eventually(`${name} to run`, async () => {
        const found = await client.get(pod, { namespace, name })
        return found.status.phase === "Running" && found.metadata.uid !== notUid ? found : undefined
      })
    const names = ["web-0", "web-1"]
    const pods = [await running("web-0"), await running("web-1")]
    const volumes = new Map<string, string>()
    for (const one of pods) {
      const { name } = one.metadata
      const claim = await client.get(persistentVolumeClaim, { namespace, name: `data-${name}` })
      assert.equal(claim.status.phase, "Bound")
      const volumeName = claim.spec.volumeName!
      assert.equal(one.spec.nodeName, volumeName === "local" ? "node-1" : "node-0")
      volumes.set(name, join(home.dir, volumeName))
    }
    assert.equal(new Set(volumes.values()).size, 2)
    await client.delete(pod, { namespace, name: "web-0" }, { gracePeriodSeconds: 0 })
    await running("web-0", pods[0]!.metadata.uid)
    const starts = (name: string, ...below: string[]): string =>
      readFileSync(join(volumes.get(name)!, ...below, "starts"), "utf8")
    await eventually("both starts", () => starts("web-0").endsWith("web-0\nweb-0\n") || undefined)
    assert.equal(starts("web-0"), "before\nweb-0\nweb-0\n")
    assert.equal(starts("web-0", "deep", "er"), "web-0\nweb-0\n")
    assert.equal(starts("web-1"), "before\nweb-1\n")
    await client.delete(statefulSet, { namespace, name: "web" })
    for (const name of names) await client.delete(persistentVolumeClaim, { namespace, name: `data-${name}` })
    await eventually("both volumes to be released", async () => {
      const { items } = await client.list(persistentVolume)
      return items.every(({ status }) => status.phase === "Released") || undefined
    })
    assert.equal(starts("web-1"), "before\nweb-1\n")
  },
)
