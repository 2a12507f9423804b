import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { virtualEnv } from "@knarr/testkit"
import { containerNameLabel, podNameLabel, podNamespaceLabel, podUidLabel } from "../pod-worker/labels.ts"
import { SimulatedHost } from "../runtime/simulated-host.ts"
import { createSimulatedRuntime } from "../runtime/simulated-runtime.ts"
import { createSimulatedNodeHost } from "./node-host.ts"
import { createNodeStats } from "./stats.ts"

const signal = new AbortController().signal

describe("node stats", () => {
  it("tell what pods and containers use", async () => {
    const env = virtualEnv()
    const { clock } = env
    const behaviour = () => ({ cpuNanoCores: 250_000_000, memoryBytes: 2 ** 20 })
    const runtime = createSimulatedRuntime(new SimulatedHost({ env, podCIDR: "10.0.0.0/24", behaviour }))
    await runtime.pullImage({ image: { image: "img" } }, { signal })
    const labels = { [podUidLabel]: "u", [podNameLabel]: "p", [podNamespaceLabel]: "ns" }
    const metadata = { name: "p", namespace: "ns", uid: "u" }
    const { podSandboxId } = await runtime.runPodSandbox({ config: { metadata, labels } }, { signal })
    const config = {
      metadata: { name: "app" },
      image: { image: "img" },
      labels: { ...labels, [containerNameLabel]: "app" },
    }
    const { containerId } = await runtime.createContainer({ podSandboxId, config }, { signal })
    await runtime.startContainer({ containerId }, { signal })
    const usage = { capacityBytes: 10, availableBytes: 5, usedBytes: 4, inodes: 9, inodesFree: 2 }
    const claim = { namespace: "ns", name: "c" }
    const volumes = {
      usage: async (uid: string) => (uid === "u" ? [{ ...usage, name: "data", claim }] : []),
    }
    const host = createSimulatedNodeHost({ hostname: "n1" })
    const stats = createNodeStats({ env, runtime, host, nodeName: "n1", volumes })
    await stats.statsSummary(false, signal)
    await clock.advance(10_000)
    const summary = (await stats.statsSummary(false, signal)) as {
      node: { nodeName: string; fs: { capacityBytes: number } }
      pods: {
        podRef: object
        startTime: string
        containers: { name: string; cpu: object; memory: object }[]
        volume: object[]
      }[]
    }
    assert.equal(summary.node.nodeName, "n1")
    assert.equal(summary.node.fs.capacityBytes, 100 * 2 ** 30)
    assert.deepEqual(summary.pods[0]!.podRef, { name: "p", namespace: "ns", uid: "u" })
    assert.equal(summary.pods[0]!.startTime, "2026-01-01T00:00:00Z")
    const [app] = summary.pods[0]!.containers
    assert.deepEqual(app!.cpu, {
      time: "2026-01-01T00:00:10Z",
      usageNanoCores: 250_000_000,
      usageCoreNanoSeconds: 2_500_000_000,
    })
    assert.deepEqual(summary.pods[0]!.volume, [
      { time: "2026-01-01T00:00:10Z", ...usage, inodesUsed: 7, name: "data", pvcRef: claim },
    ])
    const brief = (await stats.statsSummary(true, signal)) as { node: object; pods: object[] }
    assert.ok(!("fs" in brief.node) && !("network" in brief.pods[0]!) && !("volume" in brief.pods[0]!))
    const metrics = await stats.resourceMetrics(signal)
    assert.match(metrics, /^# TYPE container_cpu_usage_seconds_total counter$/m)
    assert.match(
      metrics,
      /^container_cpu_usage_seconds_total\{container="app",namespace="ns",pod="p"\} 2\.5 1767225610000$/m,
    )
    assert.match(metrics, /^pod_memory_working_set_bytes\{namespace="ns",pod="p"\} 1048576 1767225610000$/m)
    assert.match(metrics, /^node_memory_working_set_bytes \d+ 1767225610000$/m)
    assert.match(metrics, /^container_start_time_seconds\{.*\} 1767225600$/m)
    assert.match(
      await stats.containerMetrics(signal),
      /^container_memory_usage_bytes\{container="app",.*\} 1048576$/m,
    )
  })
})
