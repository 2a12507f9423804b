/** Volumes with everything that a plugin can have, on real mounts, across restarts of the kubelet. */
import assert from "node:assert/strict"
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it } from "node:test"
import { persistentVolume, persistentVolumeClaim, volumeAttachment, type Pod } from "@knarr/api"
import { systemClock, type Scope } from "@knarr/base"
import { createLinuxVolumeHost, defineVolume, type VolumeHost, type VolumePlugin } from "@knarr/volume"
import type { VolumeManager } from "../contract.ts"
import { createObjectReader } from "../objects/object-reader.ts"
import { withPlane, type TestPlane } from "../status/plane.test.ts"
import { createMemoryDisk } from "./memory-disk.volume.ts"
import { createVolumeManager } from "./volume-manager.ts"

const never = new AbortController().signal
const skip = process.getuid?.() === 0 ? false : "mounts need root"
/** A change that the test waits for happens on the real disk, in real time. */
const realTime = (): Promise<void> => systemClock.sleep(2, never)

interface Bed extends TestPlane {
  readonly rootDir: string
  readonly host: VolumeHost
  readonly calls: string[]
  /** A kubelet's volume manager; closing the scope is that kubelet's end. */
  start(scope: Scope, plugin?: VolumePlugin): VolumeManager
  /** A pod that uses the claim. */
  podOf(name: string): Promise<Pod>
  attach(): Promise<void>
}

async function bed(run: (bed: Bed) => Promise<void>, volumeMode = "Filesystem"): Promise<void> {
  const rootDir = mkdtempSync(join(tmpdir(), "knarr-staged-"))
  const host = createLinuxVolumeHost({ clock: systemClock })
  try {
    await withPlane(async (plane) => {
      const { env, client } = plane
      const calls: string[] = []
      await createDisk(plane, volumeMode)
      await run({
        ...plane,
        ...{ rootDir, host, calls },
        start: (scope, plugin = createMemoryDisk(calls)) =>
          createVolumeManager({
            ...{ env, scope, rootDir, host, client, nodeName: "n1" },
            reader: createObjectReader({ env, scope, client }),
            allocatable: () => ({}),
            plugins: [plugin],
          }),
        podOf: (name) =>
          plane.createPod(
            { volumes: [{ name: "data", persistentVolumeClaim: { claimName: "claim" } }] },
            name,
          ),
        async attach() {
          await client.create(volumeAttachment, {
            apiVersion: "storage.k8s.io/v1",
            kind: "VolumeAttachment",
            metadata: { name: "disk-1-n1" },
            spec: { attacher: "memory-disk", nodeName: "n1", source: { persistentVolumeName: "pv" } },
          } as never)
          const status = { attached: true, attachmentMetadata: { size: "1m" } }
          await client.patch(
            volumeAttachment,
            { name: "disk-1-n1" },
            "merge",
            { status },
            { subresource: "status" },
          )
        },
      })
    })
  } finally {
    await host.removeTree(rootDir, never)
    rmSync(rootDir, { recursive: true, force: true })
  }
}

/** A bound claim and its volume. */
async function createDisk({ client }: TestPlane, volumeMode: string): Promise<void> {
  const metadata = { namespace: "default", name: "claim" }
  const common = { accessModes: ["ReadWriteOnce"], storageClassName: "", volumeMode }
  const claim = await client.create(persistentVolumeClaim, {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata,
    spec: { ...common, resources: { requests: { storage: "1Gi" } }, volumeName: "pv" },
  } as never)
  await client.create(persistentVolume, {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name: "pv" },
    spec: {
      ...common,
      capacity: { storage: "1Gi" },
      claimRef: { ...metadata, uid: claim.metadata.uid },
      csi: { driver: "memory-disk", volumeHandle: "disk-1" },
    },
  } as never)
  const status = { phase: "Bound" }
  await client.patch(persistentVolumeClaim, metadata, "merge", { status }, { subresource: "status" })
}

const mountsIn = (dir: string): number =>
  readFileSync("/proc/self/mountinfo", "utf8").split(` ${dir}/`).length - 1

describe("a volume that is staged", { skip }, () => {
  it("waits until it is attached, is staged once for all pods and unstaged after the last", () =>
    bed(async ({ rootDir, calls, scope, start, podOf, attach }) => {
      const manager = start(scope)
      const [a, b] = [await podOf("a"), await podOf("b")]
      await assert.rejects(manager.mount(a, never), {
        message:
          'MountVolume.WaitForAttach failed for volume "pv" : volume disk-1 has GET error for volume attachment ' +
          'disk-1-n1: volumeattachments.storage.k8s.io "disk-1-n1" not found',
      })
      assert.deepEqual(calls, [])
      await attach()
      const [inA, inB] = await Promise.all([manager.mount(a, never), manager.mount(b, never)])
      assert.deepEqual(calls, ["stage disk-1", "publish disk-1", "publish disk-1"])
      assert.deepEqual(manager.inUse(), ["test.knarr.dev/memory-disk/disk-1"])
      const path = join(rootDir, "pods", a.metadata.uid, "volumes/test.knarr.dev~memory-disk/pv")
      assert.deepEqual(inA.get("data"), {
        name: "data",
        hostPath: path,
        readOnly: false,
        refreshed: false,
      })
      writeFileSync(join(path, "file"), "x")
      assert.equal(readFileSync(join(inB.get("data")!.hostPath, "file"), "utf8"), "x")
      const [used, ...others] = await manager.usage(a.metadata.uid)
      assert.deepEqual(
        [used?.name, used?.claim, used?.capacityBytes, others.length],
        ["data", { namespace: "default", name: "claim" }, 2 ** 20, 0],
      )
      await manager.unmount(a.metadata.uid, never)
      assert.equal(readFileSync(join(inB.get("data")!.hostPath, "file"), "utf8"), "x")
      assert.equal(calls.at(-1), "unpublish disk-1")
      assert.equal(manager.inUse()?.length, 1)
      await manager.unmount(b.metadata.uid, never)
      assert.deepEqual(manager.inUse(), [])
      assert.deepEqual(calls.slice(-2), ["unpublish disk-1", "unstage disk-1"])
      await manager.unmount(b.metadata.uid, never)
      assert.equal(calls.length, 6)
      assert.equal(mountsIn(rootDir), 0)
      assert.deepEqual(manager.podsOnDisk(), [])
      assert.deepEqual(readdirSync(join(rootDir, "plugins/test.knarr.dev/memory-disk")), [])
    }))

  it("of other nodes is not mounted", () =>
    bed(async ({ client, calls, scope, start, podOf, attach }) => {
      await attach()
      const matchExpressions = [{ key: "zone", operator: "In", values: ["far"] }]
      const nodeAffinity = { required: { nodeSelectorTerms: [{ matchExpressions }] } }
      await client.patch(persistentVolume, { name: "pv" }, "merge", { spec: { nodeAffinity } })
      await assert.rejects(start(scope).mount(await podOf("a"), never), {
        message: 'MountVolume.NodeAffinity check failed for volume "pv" : no matching NodeSelectorTerms',
      })
      assert.deepEqual(calls, [])
    }))

  it("is known again after a restart, by who uses it and by how it is taken away", () =>
    bed(async ({ rootDir, calls, scope, start, podOf, attach }) => {
      await attach()
      const before = scope.child("before")
      const first = start(before)
      const [a, b] = [await podOf("a"), await podOf("b")]
      for (const pod of [a, b]) await first.mount(pod, never)
      await before.close()
      calls.length = 0
      const second = start(scope)
      // Its pod is gone meanwhile: nobody mounts it again, and nobody knows its object.
      await second.unmount(a.metadata.uid, never)
      assert.deepEqual(second.inUse(), ["test.knarr.dev/memory-disk/disk-1"])
      assert.deepEqual(calls, ["unpublish disk-1"])
      const mounted = await second.mount(b, never)
      assert.deepEqual(calls.slice(1), ["stage disk-1 again", "publish disk-1 again"])
      assert.ok(existsSync(mounted.get("data")!.hostPath))
      await second.unmount(b.metadata.uid, never)
      assert.deepEqual(calls.slice(3), ["unpublish disk-1", "unstage disk-1"])
      assert.equal(mountsIn(rootDir), 0)
    }))

  it("that an earlier kubelet staged for nobody is unstaged", () =>
    bed(async ({ rootDir, host, calls, scope, start, podOf, attach, until }) => {
      await attach()
      const before = scope.child("before")
      await start(before).mount(await podOf("a"), never)
      await before.close()
      await host.removeTree(join(rootDir, "pods"), never)
      assert.equal(mountsIn(rootDir), 1)
      start(scope)
      await until("the disk is unstaged", async () => {
        await realTime()
        return mountsIn(rootDir) === 0 && calls.at(-1) === "unstage disk-1"
      })
    }))

  it("says which step failed, and takes away what a failed one left", () =>
    bed(async ({ rootDir, calls, scope, start, podOf, attach }) => {
      await attach()
      const fails = new Set(["stage"])
      const disk = createMemoryDisk(calls)
      const failing =
        <C>(step: string, run: (context: C) => Promise<void>) =>
        async (context: C) => {
          await run(context)
          if (fails.has(step)) throw new Error(`${step} broke`)
        }
      const manager = start(
        scope,
        defineVolume({
          ...disk,
          stage: {
            ...disk.stage!,
            stage: failing("stage", disk.stage!.stage),
            unstage: failing("unstage", disk.stage!.unstage),
          },
          async publish(context) {
            if (fails.has("publish")) throw new Error("publish broke")
            return disk.publish(context)
          },
          unpublish: failing("unpublish", disk.unpublish!),
        }),
      )
      const pod = await podOf("a")
      const failsWith = async (work: Promise<unknown>, message: string): Promise<void> =>
        assert.rejects(work, { message })
      await failsWith(
        manager.mount(pod, never),
        'MountVolume.MountDevice failed for volume "pv" : stage broke',
      )
      fails.clear()
      fails.add("publish")
      await failsWith(manager.mount(pod, never), 'MountVolume.SetUp failed for volume "pv" : publish broke')
      assert.deepEqual(calls, ["stage disk-1", "stage disk-1 again"])
      fails.add("unpublish")
      await failsWith(
        manager.unmount(pod.metadata.uid, never),
        'UnmountVolume.TearDown failed for volume "pv" : unpublish broke',
      )
      fails.delete("unpublish")
      fails.add("unstage")
      await failsWith(
        manager.unmount(pod.metadata.uid, never),
        'UnmountDevice failed for volume "pv" : unstage broke',
      )
      assert.deepEqual(manager.podsOnDisk(), [pod.metadata.uid])
      fails.clear()
      await manager.unmount(pod.metadata.uid, never)
      assert.equal(mountsIn(rootDir), 0)
      assert.deepEqual(manager.podsOnDisk(), [])
    }))
})

describe("a device", { skip }, () => {
  it("is refused by a plugin that has only folders", () =>
    bed(async ({ scope, start, podOf, calls }) => {
      await assert.rejects(start(scope).mount(await podOf("a"), never), {
        message:
          "MapVolume.FindMapperPluginBySpec failed to find BlockVolumeMapper plugin. Volume plugin is nil. " +
          'for volume "pv" ',
      })
      assert.deepEqual(calls, [])
    }, "Block"))
})
