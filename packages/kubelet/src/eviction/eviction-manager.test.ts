import assert from "node:assert/strict"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it } from "node:test"
import type { Pod } from "@knarr/api"
import { Scope, VirtualClock } from "@knarr/base"
import { virtualEnv } from "@knarr/testkit"
import { createSimulatedNodeHost, type FilesystemUse, type NodeHost } from "../node/node-host.ts"
import type { NodePressure } from "../node/node-status.ts"
import { containerNameLabel, podNameLabel, podNamespaceLabel, podUidLabel } from "../pod-worker/labels.ts"
import { SimulatedHost } from "../runtime/simulated-host.ts"
import { createSimulatedRuntime } from "../runtime/simulated-runtime.ts"
import { diskUse, exceededLimit, limitsLocalStorage } from "./local-storage.ts"
import { createEvictionManager, type EvictionManagerOptions } from "./eviction-manager.ts"
import { parseThresholds, type ThresholdSettings } from "./thresholds.ts"

const signal = new AbortController().signal
const mebibyte = 2 ** 20

interface Wanted {
  readonly usesMi?: number
  readonly request?: string
  readonly priority?: number
  readonly graceSeconds?: number
  readonly annotations?: Record<string, string>
  /** On the kubelet's disk. */
  readonly filesMi?: number
  readonly files?: number
}

interface Machine {
  memoryMi: number
  /** Of 1000 Mi, and of 1000 inodes. */
  nodefs: { freeMi: number; inodesFree: number }
  /** Undefined: on the same file system. */
  imagefs: { freeMi: number; inodesFree: number } | undefined
  /** Of 1000. */
  processes: number
}

interface Bed {
  readonly clock: VirtualClock
  readonly machine: Machine
  readonly evicted: { uid: string; message: string; gracePeriodSeconds: number }[]
  readonly pressures: NodePressure[]
  readonly pods: Pod[]
  readonly manager: ReturnType<typeof createEvictionManager>
  /** Pods of which something is still there. */
  readonly lingering: Set<string>
  readonly events: string[]
}

async function bed(
  wanted: Readonly<Record<string, Wanted>>,
  run: (bed: Bed) => Promise<void>,
  options: Partial<EvictionManagerOptions> = {},
): Promise<void> {
  const env = virtualEnv()
  const { clock } = env
  await using scope = new Scope("test")
  const host = new SimulatedHost({
    env,
    podCIDR: "10.0.0.0/24",
    behaviour: ({ sandboxConfig }) => ({
      memoryBytes: (wanted[sandboxConfig.metadata!.name]!.usesMi ?? 1) * mebibyte,
    }),
  })
  const runtime = createSimulatedRuntime(host)
  await runtime.pullImage({ image: { image: "img" } }, { signal })
  const pods: Pod[] = []
  for (const [name, { request, priority, annotations, graceSeconds }] of Object.entries(wanted)) {
    const labels = { [podUidLabel]: name, [podNameLabel]: name, [podNamespaceLabel]: "ns" }
    const metadata = { name, namespace: "ns", uid: name }
    const { podSandboxId } = await runtime.runPodSandbox({ config: { metadata, labels } }, { signal })
    const config = {
      metadata: { name: "app" },
      image: { image: "img" },
      labels: { ...labels, [containerNameLabel]: "app" },
    }
    const { containerId } = await runtime.createContainer({ podSandboxId, config }, { signal })
    await runtime.startContainer({ containerId }, { signal })
    const resources = request ? { requests: { memory: request } } : {}
    pods.push({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace: "ns", uid: name, ...(annotations ? { annotations } : {}) },
      spec: {
        containers: [{ name: "app", image: "img", resources }],
        ...(priority === undefined ? {} : { priority }),
        ...(graceSeconds === undefined ? {} : { terminationGracePeriodSeconds: graceSeconds }),
      },
      status: { phase: "Running", qosClass: request ? "Burstable" : "BestEffort" },
    } as unknown as Pod)
  }
  const machine: Machine = {
    memoryMi: 4096,
    nodefs: { freeMi: 900, inodesFree: 900 },
    imagefs: undefined,
    processes: 10,
  }
  const use = ({ freeMi, inodesFree }: Machine["nodefs"], device: number): FilesystemUse => ({
    capacityBytes: 1000 * mebibyte,
    availableBytes: freeMi * mebibyte,
    ...{ inodes: 1000, inodesFree, device },
  })
  const node: NodeHost = {
    ...createSimulatedNodeHost({ hostname: "n1" }),
    memory: () => ({ totalBytes: 8192 * mebibyte, availableBytes: machine.memoryMi * mebibyte }),
    filesystem: () => use(machine.nodefs, 1),
    processes: () => ({ count: machine.processes, max: 1000 }),
  }
  const evicted: Bed["evicted"] = []
  const pressures: NodePressure[] = []
  const lingering = new Set<string>()
  const events: string[] = []
  const manager = createEvictionManager({
    ...{ env, scope, runtime, host: node, nodeName: "n1", thresholds: parseThresholds({}) },
    pods: () => pods.filter((pod) => !evicted.some(({ uid }) => uid === pod.metadata.uid)),
    evict: (uid, how) => void evicted.push({ uid, ...how }),
    isReclaimed: (uid) => !lingering.has(uid),
    onPressure: (pressure) => void pressures.push(pressure),
    imageFilesystem: async () => machine.imagefs && use(machine.imagefs, 2),
    recorder: { event: (_, type, reason, message) => void events.push(`${type} ${reason} ${message}`) },
    async podFiles(pod) {
      const { filesMi = 0, files = 0 } = wanted[pod.metadata.name]!
      return { bytes: filesMi * mebibyte, inodes: files }
    },
    ...options,
  })
  await run({ clock, machine, evicted, pressures, pods, manager, lingering, events })
}

const names = (evicted: Bed["evicted"]): string[] => evicted.map(({ uid }) => uid)

describe("eviction", () => {
  it("ends pods that use more than they asked for, one at a time, until there is enough", () =>
    bed(
      {
        modest: { usesMi: 50, request: "100Mi" },
        greedy: { usesMi: 500, request: "100Mi" },
        hungry: { usesMi: 300 },
        important: { usesMi: 900, priority: 1000 },
        critical: { usesMi: 900, priority: 2_000_001_000 },
        fixed: { usesMi: 900, annotations: { "kubernetes.io/config.source": "file" } },
      },
      async ({ clock, evicted, pressures, machine, manager, pods, events }) => {
        await clock.advance(30_000)
        assert.equal(evicted.length, 0)
        assert.equal(manager.refusal(pods[2]!), undefined)
        machine.memoryMi = 90
        await clock.advance(11_000)
        assert.deepEqual(names(evicted), ["greedy", "hungry"])
        assert.deepEqual(events.slice(0, 1), ["Warning EvictionThresholdMet Attempting to reclaim memory"])
        assert.equal(evicted[0]!.gracePeriodSeconds, 1)
        assert.equal(
          evicted[0]!.message,
          "The node was low on resource: memory. Threshold quantity: 100Mi, available: 90Mi. " +
            "Container app was using 500Mi, request is 100Mi, has larger consumption of memory. ",
        )
        assert.deepEqual(pressures, [{ memory: true, disk: false, pid: false }])
        assert.equal(manager.refusal(pods[2]!)?.message, "The node had condition: [MemoryPressure]. ")
        assert.equal(manager.refusal(pods[0]!), undefined, "burstable pods may come")
        await clock.advance(1000)
        assert.deepEqual(evicted.at(-1)?.uid, "important")
        machine.memoryMi = 4096
        await clock.advance(60_000)
        assert.equal(evicted.length, 3)
        assert.equal(manager.pressure.memory, true)
        await clock.advance(300_000)
        assert.equal(manager.pressure.memory, false)
      },
    ))

  it("frees disk before it ends a pod, and ends none when that was enough", async () => {
    const done: string[] = []
    let machine: Machine | undefined
    const reclaim = (name: string, freesMi: number) => async (): Promise<void> => {
      done.push(name)
      machine!.nodefs.freeMi += freesMi
    }
    await bed(
      { innocent: { filesMi: 1 }, filler: { filesMi: 500 } },
      async (it) => {
        machine = it.machine
        it.machine.nodefs.freeMi = 50
        await it.clock.advance(10_000)
        assert.deepEqual(done, ["containers", "images"])
        assert.deepEqual(names(it.evicted), [])
        assert.deepEqual(it.pressures.at(-1), { memory: false, disk: true, pid: false })
        it.machine.nodefs.freeMi = 20
        await it.clock.advance(10_000)
        assert.deepEqual(names(it.evicted), ["filler"])
        assert.match(
          it.evicted[0]!.message,
          /^The node was low on resource: ephemeral-storage\. Threshold quantity: 100Mi, available: 20Mi\. /,
        )
      },
      { reclaimDisk: [reclaim("containers", 60), reclaim("images", 50)] },
    )
  })

  it("goes on to the next when freeing fails, and waits for the clean-up of the last one", () =>
    bed(
      { a: { filesMi: 400 }, b: { filesMi: 300 }, c: { filesMi: 1 } },
      async ({ clock, machine, evicted, lingering }) => {
        lingering.add("a")
        machine.nodefs.freeMi = 50
        await clock.advance(10_000)
        assert.deepEqual(names(evicted), ["a"])
        await clock.advance(15_000)
        assert.deepEqual(names(evicted), ["a"], "what it had is not free yet")
        machine.nodefs.freeMi = 450
        lingering.delete("a")
        await clock.advance(60_000)
        assert.deepEqual(names(evicted), ["a"])
        machine.nodefs.freeMi = 50
        lingering.add("b")
        await clock.advance(10_000)
        assert.deepEqual(names(evicted), ["a", "b"])
        await clock.advance(35_000)
        assert.deepEqual(
          names(evicted),
          ["a", "b", "c"],
          "a pod that cannot be cleaned up holds up only so long",
        )
      },
      { reclaimDisk: [() => Promise.reject(new Error("busy"))] },
    ))

  const signals: {
    name: string
    settings?: ThresholdSettings
    make: (machine: Machine) => void
    resource: string | undefined
    pressure: keyof NodePressure
    reclaims: boolean
  }[] = [
    {
      name: "memory.available",
      make: (machine) => (machine.memoryMi = 99),
      ...{ resource: "memory", pressure: "memory", reclaims: false },
    },
    {
      name: "nodefs.available",
      make: (machine) => (machine.nodefs.freeMi = 99),
      ...{ resource: "ephemeral-storage", pressure: "disk", reclaims: true },
    },
    {
      name: "nodefs.inodesFree",
      make: (machine) => (machine.nodefs.inodesFree = 49),
      ...{ resource: "inodes", pressure: "disk", reclaims: true },
    },
    {
      name: "imagefs.available on the kubelet's disk",
      make: (machine) => (machine.nodefs.freeMi = 149),
      ...{ resource: "ephemeral-storage", pressure: "disk", reclaims: true },
    },
    {
      name: "imagefs.available",
      make: (machine) => (machine.imagefs = { freeMi: 149, inodesFree: 900 }),
      ...{ resource: "ephemeral-storage", pressure: "disk", reclaims: true },
    },
    {
      name: "imagefs.inodesFree",
      make: (machine) => (machine.imagefs = { freeMi: 900, inodesFree: 49 }),
      ...{ resource: "inodes", pressure: "disk", reclaims: true },
    },
    {
      name: "nodefs.available beside a disk of images",
      make(machine) {
        machine.imagefs = { freeMi: 900, inodesFree: 900 }
        machine.nodefs.freeMi = 99
      },
      ...{ resource: "ephemeral-storage", pressure: "disk", reclaims: false },
    },
    {
      name: "pid.available",
      settings: { hard: { "pid.available": "5%" } },
      make: (machine) => (machine.processes = 951),
      ...{ resource: "pids", pressure: "pid", reclaims: false },
    },
    {
      name: "pid.available without a threshold",
      make: (machine) => (machine.processes = 999),
      ...{ resource: undefined, pressure: "pid", reclaims: false },
    },
    {
      name: "exactly as much as the threshold",
      settings: { hard: { "nodefs.available": "10%" } },
      make: (machine) => (machine.nodefs.freeMi = 100),
      ...{ resource: undefined, pressure: "disk", reclaims: false },
    },
  ]
  for (const { name, settings = {}, make, resource, pressure, reclaims } of signals)
    it(`knows a shortage of ${name}`, async () => {
      let reclaimed = false
      const thresholds = parseThresholds(settings)
      await bed(
        { a: {} },
        async ({ clock, machine, evicted, events, manager }) => {
          make(machine)
          await clock.advance(10_000)
          assert.deepEqual(names(evicted), resource === undefined ? [] : ["a"])
          assert.equal(manager.pressure[pressure], resource !== undefined)
          assert.equal(reclaimed, reclaims)
          if (resource === undefined) return
          assert.equal(events[0], `Warning EvictionThresholdMet Attempting to reclaim ${resource}`)
          assert.ok(
            evicted[0]!.message.startsWith(`The node was low on resource: ${resource}. Threshold quantity: `),
          )
        },
        { thresholds, reclaimDisk: [async () => void (reclaimed = true)] },
      )
    })

  it("waits out the grace period of a soft threshold, and gives pods theirs", () =>
    bed(
      { a: { graceSeconds: 20 } },
      async ({ clock, machine, evicted, manager }) => {
        machine.memoryMi = 900
        await clock.advance(50_000)
        assert.equal(manager.pressure.memory, true, "the condition is there at once")
        assert.deepEqual(names(evicted), [])
        machine.memoryMi = 1100
        await clock.advance(10_000)
        machine.memoryMi = 900
        await clock.advance(60_000)
        assert.deepEqual(names(evicted), [], "the time begins anew")
        await clock.advance(10_000)
        assert.deepEqual(names(evicted), ["a"])
        assert.equal(evicted[0]!.gracePeriodSeconds, 15)
      },
      {
        thresholds: parseThresholds({
          soft: { "memory.available": "1Gi" },
          softGracePeriodSeconds: { "memory.available": 60 },
        }),
        maxPodGraceSeconds: 15,
      },
    ))

  it("goes on until the minimum is reclaimed", () =>
    bed(
      { a: { filesMi: 300 }, b: { filesMi: 200 }, c: { filesMi: 100 } },
      async ({ clock, machine, evicted }) => {
        machine.nodefs.freeMi = 99
        await clock.advance(10_000)
        assert.deepEqual(names(evicted), ["a"])
        machine.nodefs.freeMi = 150
        await clock.advance(1000)
        assert.deepEqual(names(evicted), ["a", "b"], "above the threshold, but not by as much as is wanted")
        machine.nodefs.freeMi = 350
        await clock.advance(60_000)
        assert.deepEqual(names(evicted), ["a", "b"])
        machine.nodefs.freeMi = 150
        await clock.advance(60_000)
        assert.deepEqual(names(evicted), ["a", "b"], "the threshold itself is not met any more")
      },
      {
        thresholds: parseThresholds({
          hard: { "nodefs.available": "10%" },
          minimumReclaim: { "nodefs.available": "100Mi" },
        }),
      },
    ))

  it("refuses thresholds that mean nothing", () => {
    const cases: readonly (readonly [ThresholdSettings, RegExp])[] = [
      [{ hard: { "disk.available": "1Gi" } }, /^unsupported eviction signal disk\.available$/],
      [{ hard: { "memory.available": "-1Gi" } }, /must be positive/],
      [{ hard: { "memory.available": "120%" } }, /must be <= 100%/],
      [{ hard: { "memory.available": "much" } }, /quantities must match/],
      [
        { soft: { "memory.available": "1Gi" } },
        /grace period must be specified for the soft eviction threshold/,
      ],
      [
        { soft: { "memory.available": "1Gi" }, softGracePeriodSeconds: { "memory.available": -1 } },
        /invalid eviction grace period value/,
      ],
      [{ minimumReclaim: { x: "1Gi" } }, /^unsupported eviction signal x$/],
    ]
    for (const [settings, message] of cases)
      assert.throws(() => parseThresholds(settings), { message }, JSON.stringify(settings))
    assert.deepEqual(parseThresholds({ hard: { "nodefs.available": "0%" } }), [])
  })

  it("ends pods that go beyond their own limits of disk", async () => {
    const dir = mkdtempSync(join(tmpdir(), "knarr-eviction-"))
    try {
      mkdirSync(join(dir, "deep"))
      writeFileSync(join(dir, "deep", "file"), Buffer.alloc(64 * 1024))
      const bytes = (await diskUse(dir, signal)).bytes
      assert.ok(bytes >= 64 * 1024, String(bytes))
      assert.deepEqual(await diskUse(join(dir, "missing"), signal), { bytes: 0, inodes: 0 })
      const pod = {
        spec: { containers: [{ name: "app" }], volumes: [{ name: "v", emptyDir: { sizeLimit: "32Ki" } }] },
      } as unknown as Pod
      assert.equal(limitsLocalStorage(pod), true)
      assert.equal(
        await exceededLimit(pod, undefined, async () => bytes),
        'Usage of EmptyDir volume "v" exceeds the limit "32Ki". ',
      )
      assert.equal(await exceededLimit(pod, undefined, async () => 1024), undefined)
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  })
})
