import assert from "node:assert/strict"
import { test } from "node:test"
import { clusterRole, configMap, event, job, lease, namespace, node, pod, serviceAccount } from "@knarr/api"
import { allow, defineController } from "@knarr/controller-kit"
import { formatTime } from "@knarr/apimachinery"
import { startCluster, template } from "./cluster.ts"

test("a new namespace gets its service account and root certificate and is emptied when deleted", async () => {
  await using cluster = await startCluster()
  await cluster.client.create(namespace, { metadata: { name: "team" }, spec: {} })
  await cluster.until("defaults", () => {
    return Boolean(
      cluster.get(serviceAccount, "default", "team") && cluster.get(configMap, "kube-root-ca.crt", "team"),
    )
  })
  await cluster.client.create(configMap, {
    metadata: { name: "held", namespace: "team", finalizers: ["example.com/hold"] },
  })
  await cluster.client.delete(namespace, { name: "team" })
  await cluster.until("condition", () => {
    const conditions = cluster.get(namespace, "team")?.status?.conditions ?? []
    return conditions.some((one) => one.type === "NamespaceFinalizersRemaining" && one.status === "True")
  })
  const ns = cluster.get(namespace, "team")!
  assert.equal(ns.status.phase, "Terminating")
  assert.equal(
    ns.status.conditions!.find((one) => one.type === "NamespaceContentRemaining")!.message,
    "Some resources are remaining: configmaps. has 1 resource instances",
  )
  await cluster.client.patch(configMap, { namespace: "team", name: "held" }, "merge", {
    metadata: { finalizers: null },
  })
  await cluster.until("gone", () => cluster.get(namespace, "team") === undefined, 60)
})

test("a silent node becomes unknown, is tainted, and its pods are evicted after their toleration", async () => {
  await using cluster = await startCluster()
  await cluster.addNode("node-a")
  await cluster.addNode("node-b")
  await cluster.until("pod networks", () =>
    cluster.list(node).every((one) => one.spec?.podCIDR !== undefined),
  )
  assert.deepEqual(
    cluster
      .list(node)
      .map((one) => one.spec.podCIDR)
      .sort(),
    ["10.244.0.0/24", "10.244.1.0/24"],
  )
  await cluster.client.create(pod, {
    metadata: { name: "one", namespace: "default" },
    spec: template({}).spec,
  })
  await cluster.makeReady(cluster.get(pod, "one", "default")!, "node-a")
  const renew = async (): Promise<void> => {
    const renewTime = new Date(cluster.clock.now()).toISOString().replace("Z", "000Z")
    const ref = { namespace: "kube-node-lease", name: "node-b" }
    const spec = { holderIdentity: "node-b", renewTime, leaseDurationSeconds: 40 }
    const present = cluster.get(lease, "node-b", "kube-node-lease")
    if (present) await cluster.client.update(lease, { ...present, spec })
    else await cluster.client.create(lease, { metadata: ref, spec })
  }
  const startMs = cluster.clock.now()
  const ready = (name: string): string | undefined =>
    cluster.get(node, name)!.status.conditions!.find((one) => one.type === "Ready")!.status
  while (ready("node-a") === "True" && cluster.clock.now() - startMs < 100_000) {
    await renew()
    await cluster.clock.advance(5000)
  }
  assert.equal(ready("node-a"), "Unknown")
  assert.equal(ready("node-b"), "True")
  const silent = (cluster.clock.now() - startMs) / 1000
  assert.ok(silent >= 50 && silent <= 60, `noticed after ${silent} s`)
  const a = cluster.get(node, "node-a")!
  const condition = a.status.conditions!.find((one) => one.type === "Ready")!
  assert.equal(condition.reason, "NodeStatusUnknown")
  assert.equal(condition.message, "Kubelet stopped posting node status.")
  const taints = a.spec.taints!.map((taint) => `${taint.key}:${taint.effect}`).sort()
  assert.deepEqual(taints, [
    "node.kubernetes.io/unreachable:NoExecute",
    "node.kubernetes.io/unreachable:NoSchedule",
  ])
  const one = cluster.get(pod, "one", "default")!
  assert.equal(one.status.conditions!.find((each) => each.type === "Ready")!.status, "False")
  while (
    !cluster.get(pod, "one", "default")?.metadata.deletionTimestamp &&
    cluster.clock.now() - startMs < 500_000
  ) {
    await renew()
    await cluster.clock.advance(5000)
  }
  const evicted = (cluster.clock.now() - startMs) / 1000
  assert.ok(evicted >= 350 && evicted <= 365, `evicted after ${evicted} s`)
  const reasons = cluster.list(event, "default").map((each) => each.reason)
  assert.ok(reasons.includes("TaintManagerEviction"))
})

test("a controller of one's own gets its role and works with nothing else changed", async () => {
  const hello = defineController({
    name: "hello-controller",
    serviceAccount: "hello-controller",
    rbac: [allow("", "configmaps", "get update")],
    for: configMap,
    async reconcile(ref, { cache, client, signal }) {
      const one = cache.get(configMap, ref)
      if (one?.data?.["hello"] !== "?") return
      await client.update(configMap, { ...one, data: { hello: "world" } }, { signal })
    },
  })
  await using cluster = await startCluster({ extra: [hello] })
  assert.ok(cluster.get(clusterRole, "system:controller:hello-controller"))
  await cluster.client.create(configMap, {
    metadata: { name: "greeting", namespace: "default" },
    data: { hello: "?" },
  })
  await cluster.until(
    "an answer",
    () => cluster.get(configMap, "greeting", "default")?.data?.["hello"] === "world",
  )
})

test("a job runs to completion and counts each pod once", async () => {
  await using cluster = await startCluster()
  await cluster.addNode("node-a")
  await cluster.client.create(job, {
    metadata: { name: "sum", namespace: "default" },
    spec: {
      completions: 3,
      parallelism: 2,
      template: { ...template({}), spec: { ...template({}).spec, restartPolicy: "Never" } },
    },
  })
  const done = (): boolean =>
    cluster
      .get(job, "sum", "default")!
      .status?.conditions?.some((one) => one.type === "Complete" && one.status === "True") ?? false
  for (let i = 0; i < 20 && !done(); i++) {
    await cluster.clock.advance(1000)
    for (const one of cluster.list(pod, "default")) {
      if (one.status?.phase === "Succeeded") continue
      const status = { phase: "Succeeded", startTime: formatTime(cluster.clock.now()) }
      await cluster.client.patch(pod, one.metadata, "strategic", { status }, { subresource: "status" })
    }
  }
  const { status } = cluster.get(job, "sum", "default")!
  assert.equal(status.succeeded, 3)
  assert.equal(status.active ?? 0, 0)
  assert.deepEqual(
    status.conditions!.map((one) => one.type),
    ["SuccessCriteriaMet", "Complete"],
  )
  assert.equal(cluster.list(pod, "default").length, 3)
  assert.ok(cluster.list(pod, "default").every((one) => (one.metadata.finalizers ?? []).length === 0))
})
