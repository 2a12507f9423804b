import assert from "node:assert/strict"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it } from "node:test"
import {
  configMap as configMapKind,
  persistentVolume,
  persistentVolumeClaim,
  pod as podKind,
  secret as secretKind,
  type ConfigMap,
} from "@knarr/api"
import { systemClock } from "@knarr/base"
import { createLinuxVolumeHost, simulatedVolumeHost } from "@knarr/volume"
import type { VolumeManager } from "../contract.ts"
import { createObjectReader, type PodObjectReader } from "../objects/object-reader.ts"
import { withPlane, type TestPlane } from "../status/plane.test.ts"
import { createVolumeManager } from "./volume-manager.ts"

interface Bed extends TestPlane {
  readonly rootDir: string
  readonly reader: PodObjectReader
  readonly manager: VolumeManager
  readonly events: string[]
  makeConfigMap(name: string, data: Record<string, string>): Promise<ConfigMap>
}

const never = new AbortController().signal

async function bed(run: (bed: Bed) => Promise<void>): Promise<void> {
  const rootDir = mkdtempSync(join(tmpdir(), "knarr-volumes-"))
  try {
    await withPlane(async (plane) => {
      const { env, scope, client, nodeClient } = plane
      const reader = createObjectReader({ env, scope, client: nodeClient })
      const host = createLinuxVolumeHost({ clock: env.clock, canMount: false })
      const allocatable = (): Record<string, string> => ({ memory: "1Gi", cpu: "2" })
      const events: string[] = []
      const recorder = {
        event: (_: unknown, type: string, reason: string, message: string) =>
          void events.push(`${type} ${reason} ${message}`),
      }
      const manager = createVolumeManager({
        env,
        scope,
        rootDir,
        nodeName: "n1",
        reader,
        client: nodeClient,
        host,
        allocatable,
        recorder,
      })
      await run({
        ...plane,
        rootDir,
        reader,
        manager,
        events,
        // Files are written in real time, which a virtual minute does not wait for.
        until: (what, done) =>
          plane.until(what, async () => {
            await systemClock.sleep(2, never)
            return done()
          }),
        makeConfigMap: (name, data) =>
          client.create(configMapKind, {
            apiVersion: "v1",
            kind: "ConfigMap",
            metadata: { namespace: "default", name },
            data,
          } as never),
      })
    })
  } finally {
    rmSync(rootDir, { recursive: true, force: true })
  }
}

const ref = (name: string): { namespace: string; name: string } => ({ namespace: "default", name })

describe("volume manager", () => {
  it("mounts every volume where the kubelet keeps it, and takes all of it away", () =>
    bed(async ({ rootDir, reader, manager, makeConfigMap, createPod, client }) => {
      await makeConfigMap("cm", { a: "1" })
      await client.create(secretKind, {
        apiVersion: "v1",
        kind: "Secret",
        metadata: ref("s"),
        stringData: { k: "v" },
      } as never)
      const pod = await createPod({
        volumes: [
          { name: "c", configMap: { name: "cm" } },
          { name: "s", secret: { secretName: "s" } },
          { name: "e", emptyDir: {} },
          { name: "h", hostPath: { path: rootDir, type: "Directory" } },
        ],
      })
      reader.registerPod(pod)
      const mounted = await manager.mount(pod, never)
      const volumes = join(rootDir, "pods", pod.metadata.uid, "volumes")
      assert.deepEqual(mounted.get("c"), {
        name: "c",
        hostPath: join(volumes, "kubernetes.io~configmap/c"),
        readOnly: true,
        refreshed: true,
      })
      assert.equal(mounted.get("e")?.hostPath, join(volumes, "kubernetes.io~empty-dir/e"))
      assert.equal(mounted.get("e")?.readOnly, false)
      assert.equal(mounted.get("h")?.hostPath, rootDir)
      assert.equal(readFileSync(join(volumes, "kubernetes.io~secret/s/k"), "utf8"), "v")
      assert.deepEqual(manager.podsOnDisk(), [pod.metadata.uid])
      await manager.unmount(pod.metadata.uid, never)
      await manager.unmount(pod.metadata.uid, never)
      assert.deepEqual(manager.podsOnDisk(), [])
      assert.equal(existsSync(rootDir), true)
      await assert.rejects(manager.unmount("../..", never), /not a pod's uid/)
    }))

  it("fails in upstream's words and succeeds when the object has come", () =>
    bed(async ({ reader, manager, makeConfigMap, createPod }) => {
      const pod = await createPod({
        volumes: [
          { name: "x", configMap: { name: "y" } },
          { name: "e", emptyDir: {} },
        ],
      })
      reader.registerPod(pod)
      await assert.rejects(manager.mount(pod, never), {
        message: 'MountVolume.SetUp failed for volume "x" : configmap "y" not found',
      })
      await makeConfigMap("y", { a: "1" })
      const mounted = await manager.mount(pod, never)
      assert.equal(readFileSync(join(mounted.get("x")!.hostPath, "a"), "utf8"), "1")
    }))

  it("rewrites files when their object or the pod changes, and keeps them when the object goes", () =>
    bed(async ({ reader, manager, makeConfigMap, createPod, client, until, clock, events }) => {
      await makeConfigMap("cm", { a: "1" })
      const fields = [{ path: "labels", fieldRef: { fieldPath: "metadata.labels" } }]
      const pod = await createPod({
        volumes: [
          { name: "c", configMap: { name: "cm" } },
          { name: "d", downwardAPI: { items: fields } },
        ],
      })
      reader.registerPod(pod)
      const mounted = await manager.mount(pod, never)
      const read = (volume: string, file: string): string =>
        readFileSync(join(mounted.get(volume)!.hostPath, file), "utf8")
      await client.patch(configMapKind, ref("cm"), "merge", { data: { a: "2" } })
      await until("the file is new", () => read("c", "a") === "2")
      assert.equal(read("d", "labels"), "")
      const labelled = await client.patch(podKind, ref("p"), "merge", { metadata: { labels: { x: "y" } } })
      await manager.mount(labelled, never)
      assert.equal(read("d", "labels"), 'x="y"')
      await client.delete(configMapKind, ref("cm"))
      await until("the failure is told", () => events.length > 0)
      assert.equal(
        events[0],
        'Warning FailedMount MountVolume.SetUp failed for volume "c" : configmap "cm" not found',
      )
      assert.equal(read("c", "a"), "2")
      await manager.mount(labelled, never)
      await makeConfigMap("cm", { a: "3" })
      await until("the file is back", () => read("c", "a") === "3")
      await manager.unmount(pod.metadata.uid, never)
      reader.unregisterPod(pod.metadata.uid)
      await clock.advance(60_000)
    }))

  it("renews service account tokens before they end", () =>
    bed(async ({ reader, manager, createPod, clock, until }) => {
      const token = { path: "token", expirationSeconds: 600 }
      const pod = await createPod({
        volumes: [{ name: "t", projected: { sources: [{ serviceAccountToken: token }] } }],
      })
      reader.registerPod(pod)
      const mounted = await manager.mount(pod, never)
      const read = (): string => readFileSync(join(mounted.get("t")!.hostPath, "token"), "utf8")
      const first = read()
      assert.equal(first.split(".").length, 3)
      await manager.mount(pod, never)
      await clock.advance(400_000)
      assert.equal(read(), first)
      await clock.advance(90_000)
      await until("there is a new token", () => read() !== first)
    }))

  it("finds what claims are bound to", () =>
    bed(async ({ rootDir, reader, manager, createPod, client }) => {
      const claim = {
        apiVersion: "v1",
        kind: "PersistentVolumeClaim",
        metadata: ref("claim"),
        spec: {
          accessModes: ["ReadWriteOnce"],
          resources: { requests: { storage: "1Gi" } },
          volumeName: "pv",
          storageClassName: "",
        },
      }
      const pod = await createPod({
        volumes: [{ name: "data", persistentVolumeClaim: { claimName: "claim" } }],
      })
      reader.registerPod(pod)
      const failed =
        "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], " +
        "failed to process volumes=[data]: error processing PVC default/claim: "
      await assert.rejects(manager.mount(pod, never), {
        message: `${failed}failed to fetch PVC from API server: persistentvolumeclaims "claim" not found`,
      })
      const made = await client.create(persistentVolumeClaim, claim as never)
      await assert.rejects(manager.mount(pod, never), { message: `${failed}PVC is not bound` })
      const path = join(rootDir, "pv")
      await client.create(persistentVolume, {
        apiVersion: "v1",
        kind: "PersistentVolume",
        metadata: { name: "pv" },
        spec: {
          capacity: { storage: "1Gi" },
          accessModes: ["ReadWriteOnce"],
          claimRef: { ...ref("claim"), uid: made.metadata.uid },
          hostPath: { path, type: "DirectoryOrCreate" },
        },
      } as never)
      await client.patch(
        persistentVolumeClaim,
        ref("claim"),
        "merge",
        { status: { phase: "Bound" } },
        { subresource: "status" },
      )
      const mounted = await manager.mount(pod, never)
      assert.deepEqual(mounted.get("data"), {
        name: "data",
        hostPath: path,
        readOnly: false,
        refreshed: false,
      })
      assert.equal(existsSync(path), true)
      await manager.unmount(pod.metadata.uid, never)
      assert.equal(existsSync(path), true)
    }))

  it("does nothing to the disk on a simulated node, but misses what is missing", () =>
    withPlane(async ({ env, scope, client, createPod }) => {
      const reader = createObjectReader({ env, scope, client })
      const rootDir = "/nonexistent/knarr"
      const manager = createVolumeManager({
        ...{ env, scope, rootDir, reader, client, nodeName: "n1" },
        host: simulatedVolumeHost,
        allocatable: () => ({}),
      })
      const pod = await createPod({
        volumes: [
          { name: "e", emptyDir: {} },
          { name: "s", secret: { secretName: "s" } },
        ],
      })
      reader.registerPod(pod)
      await assert.rejects(manager.mount(pod, never), {
        message: 'MountVolume.SetUp failed for volume "s" : secret "s" not found',
      })
      await manager.unmount(pod.metadata.uid, never)
      assert.equal(existsSync(rootDir), false)
    }))
})
