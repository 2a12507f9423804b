import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { lease as leaseKind, node as nodeKind, type Node } from "@knarr/api"
import { Scope } from "@knarr/base"
import { createSimulatedRuntime } from "../runtime/simulated-runtime.ts"
import { SimulatedHost } from "../runtime/simulated-host.ts"
import type { ContainerRuntime, RuntimeResponse } from "../runtime/container-runtime.ts"
import { withPlane, type TestPlane } from "../status/plane.test.ts"
import { createNodeAgent, type NodeAgent, type NodeAgentOptions } from "./node-agent.ts"
import { createSimulatedNodeHost } from "./node-host.ts"

const ref = { name: "n1" }

function start(plane: TestPlane, scope: Scope, options: Partial<NodeAgentOptions> = {}): NodeAgent {
  return createNodeAgent({
    env: plane.env,
    scope,
    client: plane.nodeClient,
    runtime: createSimulatedRuntime(new SimulatedHost({ env: plane.env })),
    host: createSimulatedNodeHost({ hostname: "n1", addresses: ["192.0.2.7"] }),
    nodeName: "n1",
    kubeletVersion: "v1.37.2",
    port: 10250,
    ...options,
  })
}

function readyOf(node: Readonly<Node>): {
  status: string
  reason?: string | undefined
  message?: string | undefined
} {
  const { status, reason, message } = node.status.conditions!.find(({ type }) => type === "Ready")!
  return { status, reason, message }
}

describe("node agent", () => {
  it("tells which attached volumes are in use, and keeps what was told while it does not know", () =>
    withPlane(async (plane) => {
      let inUse: readonly string[] | undefined = []
      const agent = start(plane, plane.scope, { volumesInUse: () => inUse })
      await plane.clock.advance(1)
      inUse = ["a", "b"]
      const told = agent.reportedInUse("b", plane.scope.signal)
      await plane.clock.advance(100)
      await told
      const told1 = (await plane.client.get(nodeKind, ref)).status.volumesInUse
      inUse = undefined
      agent.refresh()
      await plane.clock.advance(20_000)
      const told2 = (await plane.client.get(nodeKind, ref)).status.volumesInUse
      inUse = []
      agent.refresh()
      await plane.clock.advance(100)
      const told3 = (await plane.client.get(nodeKind, ref)).status.volumesInUse
      assert.deepEqual([told1, told2, told3], [["a", "b"], ["a", "b"], undefined])
    }))

  it("registers a node that is ready at once", () =>
    withPlane(async (plane) => {
      const labels = { "example.com/rack": "7" }
      const agent = start(plane, plane.scope, { labels })
      let ready = false
      void agent.ready(plane.scope.signal).then(() => (ready = true))
      await plane.clock.advance(1)
      assert.equal(ready, true)
      const node = await plane.client.get(nodeKind, ref)
      assert.deepEqual(node.metadata.labels, {
        "kubernetes.io/hostname": "n1",
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux",
        "beta.kubernetes.io/arch": "amd64",
        ...labels,
      })
      assert.deepEqual(node.status.capacity, {
        cpu: "4",
        memory: "8Gi",
        "ephemeral-storage": "100Gi",
        pods: "110",
      })
      assert.deepEqual(node.status.allocatable, {
        cpu: "4",
        memory: "8092Mi",
        "ephemeral-storage": "96636764160",
        pods: "110",
      })
      assert.deepEqual(node.status.addresses, [
        { type: "InternalIP", address: "192.0.2.7" },
        { type: "Hostname", address: "n1" },
      ])
      assert.equal(node.status.daemonEndpoints?.kubeletEndpoint?.Port, 10250)
      assert.equal(node.status.nodeInfo?.kubeletVersion, "v1.37.2")
      assert.equal(node.status.nodeInfo?.containerRuntimeVersion, "simulated://1.0.0")
      assert.deepEqual(readyOf(node), {
        status: "True",
        reason: "KubeletReady",
        message: "kubelet is posting ready status",
      })
    }))

  it("says why it is not ready, and is within a moment of the network's being there", () =>
    withPlane(async (plane) => {
      const real = createSimulatedRuntime(new SimulatedHost({ env: plane.env }))
      let network = false
      const status = async (): Promise<RuntimeResponse<"status">> => ({
        status: {
          conditions: [
            { type: "RuntimeReady", status: true, reason: "", message: "" },
            {
              type: "NetworkReady",
              status: network,
              reason: "NetworkPluginNotReady",
              message: "Network plugin returns error: cni plugin not initialized",
            },
          ],
        },
        info: {},
        runtimeHandlers: [],
      })
      const runtime: ContainerRuntime = { ...real, status }
      start(plane, plane.scope, { runtime })
      await plane.clock.advance(200)
      assert.deepEqual(readyOf(await plane.client.get(nodeKind, ref)), {
        status: "False",
        reason: "KubeletNotReady",
        message:
          "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady " +
          "message:Network plugin returns error: cni plugin not initialized",
      })
      network = true
      await plane.clock.advance(100)
      assert.equal(readyOf(await plane.client.get(nodeKind, ref)).status, "True")
    }))

  it("writes only changes, and a sign of life every five minutes", () =>
    withPlane(async (plane) => {
      const pressure = { memory: false, disk: false, pid: false }
      const agent = start(plane, plane.scope, { pressure: () => pressure })
      await plane.clock.advance(15_000)
      const first = await plane.client.get(nodeKind, ref)
      await plane.clock.advance(240_000)
      assert.equal(
        (await plane.client.get(nodeKind, ref)).metadata.resourceVersion,
        first.metadata.resourceVersion,
      )
      await plane.clock.advance(60_000)
      assert.notEqual(
        (await plane.client.get(nodeKind, ref)).metadata.resourceVersion,
        first.metadata.resourceVersion,
      )
      pressure.memory = true
      agent.refresh()
      await plane.clock.advance(1)
      const condition = (await plane.client.get(nodeKind, ref)).status.conditions!.find(
        ({ type }) => type === "MemoryPressure",
      )!
      assert.deepEqual([condition.status, condition.reason], ["True", "KubeletHasInsufficientMemory"])
    }))

  it("keeps what others have set on a node that is there already", () =>
    withPlane(async (plane) => {
      const mine = {
        metadata: { name: "n1", labels: { zone: "a", "kubernetes.io/os": "plan9" } },
        spec: { unschedulable: true },
      }
      await plane.client.create(nodeKind, { apiVersion: "v1", kind: "Node", ...mine } as never)
      const conditions = [{ type: "Other", status: "True" }]
      await plane.client.patch(
        nodeKind,
        ref,
        "strategic",
        { status: { conditions } },
        { subresource: "status" },
      )
      start(plane, plane.scope)
      await plane.clock.advance(100)
      const node = await plane.client.get(nodeKind, ref)
      assert.equal(node.metadata.labels?.["zone"], "a")
      assert.equal(node.metadata.labels?.["kubernetes.io/os"], "linux")
      assert.equal(node.spec.unschedulable, true)
      assert.equal(readyOf(node).status, "True")
      assert.ok(node.status.conditions!.some(({ type }) => type === "Other"))
    }))

  it("comes back when somebody deletes the node", () =>
    withPlane(async (plane) => {
      start(plane, plane.scope)
      await plane.clock.advance(1000)
      const { metadata } = await plane.client.get(nodeKind, ref)
      await plane.client.delete(nodeKind, ref)
      await plane.clock.advance(1000)
      assert.notEqual((await plane.client.get(nodeKind, ref)).metadata.uid, metadata.uid)
    }))

  it("renews its lease four times as often as it must", () =>
    withPlane(async (plane) => {
      start(plane, plane.scope)
      await plane.clock.advance(1000)
      const find = () => plane.client.get(leaseKind, { namespace: "kube-node-lease", name: "n1" })
      const first = await find()
      const { metadata } = await plane.client.get(nodeKind, ref)
      assert.deepEqual(first.metadata.ownerReferences, [
        { apiVersion: "v1", kind: "Node", name: "n1", uid: metadata.uid },
      ])
      assert.equal(first.spec?.leaseDurationSeconds, 40)
      assert.equal(first.spec?.holderIdentity, "n1")
      await plane.clock.advance(10_500)
      const second = await find()
      assert.ok(second.spec!.renewTime! > first.spec!.renewTime!)
      await plane.client.delete(leaseKind, { namespace: "kube-node-lease", name: "n1" })
      await plane.clock.advance(25_000)
      assert.equal((await find()).spec?.holderIdentity, "n1")
    }))

  it("hands the pod network to the runtime", () =>
    withPlane(async (plane) => {
      const host = new SimulatedHost({ env: plane.env })
      const seen: string[] = []
      start(plane, plane.scope, {
        runtime: createSimulatedRuntime(host),
        onPodCIDRs: (cidrs) => seen.push(...cidrs),
      })
      await plane.clock.advance(10)
      await plane.client.patch(nodeKind, ref, "merge", {
        spec: { podCIDR: "10.1.0.0/24", podCIDRs: ["10.1.0.0/24"] },
      })
      await plane.clock.advance(10)
      assert.deepEqual(seen, ["10.1.0.0/24"])
    }))
})
