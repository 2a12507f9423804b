import assert from "node:assert/strict"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it } from "node:test"
import type { Pod } from "@knarr/api"
import { Scope, VirtualClock, seededRandom, silentLogger, type Env } from "@knarr/base"
import { createSimulatedNodeHost, type NodeHost } from "../node/node-host.ts"
import type { NodePressure } from "../node/node-status.ts"
import { containerNameLabel, podNameLabel, podNamespaceLabel, podUidLabel } from "../pod-worker/labels.ts"
import { SimulatedHost } from "../runtime/simulated-host.ts"
import { createSimulatedRuntime } from "../runtime/simulated-runtime.ts"
import { diskBytes, exceededLimit, limitsLocalStorage } from "./local-storage.ts"
import { createEvictionManager } from "./eviction-manager.ts"

const signal = new AbortController().signal
const mebibyte = 2 ** 20

interface Wanted {
  readonly usesMi: number
  readonly request?: string
  readonly priority?: number
  readonly annotations?: Record<string, string>
}

async function bed(
  wanted: Readonly<Record<string, Wanted>>,
  run: (bed: {
    clock: VirtualClock
    evicted: { uid: string; message: string }[]
    pressures: NodePressure[]
    pods: Pod[]
    setAvailable(bytes: number): void
    manager: ReturnType<typeof createEvictionManager>
  }) => Promise<void>,
): Promise<void> {
  const clock = new VirtualClock()
  const env: Env = { clock, random: seededRandom(1), log: silentLogger }
  await using scope = new Scope("test")
  const host = new SimulatedHost({
    env,
    podCIDR: "10.0.0.0/24",
    behaviour: ({ sandboxConfig }) => ({
      memoryBytes: wanted[sandboxConfig.metadata!.name]!.usesMi * mebibyte,
    }),
  })
  const runtime = createSimulatedRuntime(host)
  await runtime.pullImage({ image: { image: "img" } }, { signal })
  const pods: Pod[] = []
  for (const [name, { request, priority, annotations }] of Object.entries(wanted)) {
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
      },
      status: { phase: "Running", qosClass: request ? "Burstable" : "BestEffort" },
    } as unknown as Pod)
  }
  let available = 4096 * mebibyte
  const node: NodeHost = {
    ...createSimulatedNodeHost({ hostname: "n1" }),
    memory: () => ({ totalBytes: 8192 * mebibyte, availableBytes: available }),
  }
  const evicted: { uid: string; message: string }[] = []
  const pressures: NodePressure[] = []
  const manager = createEvictionManager({
    ...{ env, scope, runtime, host: node },
    pods: () => pods.filter((pod) => !evicted.some(({ uid }) => uid === pod.metadata.uid)),
    evict: (uid, { message }) => void evicted.push({ uid, message }),
    onPressure: (pressure) => void pressures.push(pressure),
  })
  await run({ clock, evicted, pressures, pods, manager, setAvailable: (bytes) => (available = bytes) })
}

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
      async ({ clock, evicted, pressures, setAvailable, manager, pods }) => {
        await clock.advance(30_000)
        assert.equal(evicted.length, 0)
        assert.equal(manager.refusal(pods[2]!), undefined)
        setAvailable(90 * mebibyte)
        await clock.advance(20_000)
        assert.deepEqual(
          evicted.map(({ uid }) => uid),
          ["greedy", "hungry"],
        )
        assert.equal(
          evicted[0]!.message,
          "The node was low on resource: memory. Threshold quantity: 100Mi, available: 90Mi. " +
            "Container app was using 500Mi, request is 100Mi, has larger consumption of memory. ",
        )
        assert.deepEqual(pressures, [{ memory: true, disk: false, pid: false }])
        assert.equal(manager.refusal(pods[2]!)?.message, "The node had condition: [MemoryPressure]. ")
        assert.equal(manager.refusal(pods[0]!), undefined, "burstable pods may come")
        await clock.advance(10_000)
        assert.deepEqual(evicted.at(-1)?.uid, "important")
        setAvailable(4096 * mebibyte)
        await clock.advance(60_000)
        assert.equal(evicted.length, 3)
        assert.equal(manager.pressure.memory, true)
        await clock.advance(300_000)
        assert.equal(manager.pressure.memory, false)
      },
    ))

  it("ends pods that go beyond their own limits of disk", async () => {
    const dir = mkdtempSync(join(tmpdir(), "knarr-eviction-"))
    try {
      mkdirSync(join(dir, "deep"))
      writeFileSync(join(dir, "deep", "file"), Buffer.alloc(64 * 1024))
      const bytes = await diskBytes(dir, signal)
      assert.ok(bytes >= 64 * 1024, String(bytes))
      assert.equal(await diskBytes(join(dir, "missing"), signal), 0)
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
