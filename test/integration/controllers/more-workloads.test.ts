import assert from "node:assert/strict"
import { test } from "node:test"
import {
  configMap,
  controllerRevision,
  cronJob,
  customResourceDefinition,
  daemonSet,
  deployment,
  event,
  job,
  namespace,
  node,
  persistentVolumeClaim,
  pod,
  podDisruptionBudget,
  replicaSet,
  statefulSet,
  type Pod,
} from "@knarr/api"
import { controllerOf } from "@knarr/apimachinery"
import { startCluster, template, type TestCluster } from "./cluster.ts"

const labels = { app: "db" }

function podsOf(cluster: TestCluster): Pod[] {
  return [...cluster.list(pod, "default")].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
}

/** Plays kubelet for a second. */
async function kubelet(cluster: TestCluster): Promise<void> {
  for (const one of podsOf(cluster)) {
    if (one.metadata.deletionTimestamp) {
      await cluster.client.delete(
        pod,
        { namespace: "default", name: one.metadata.name },
        { gracePeriodSeconds: 0 },
      )
    } else if (one.status?.phase !== "Running") {
      const terms =
        one.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms
      await cluster.makeReady(one, terms?.[0]?.matchFields?.[0]?.values?.[0])
    }
  }
  await cluster.clock.advance(1000)
}

async function settle(cluster: TestCluster, what: string, done: () => boolean): Promise<void> {
  for (let i = 0; i < 60; i++) {
    await kubelet(cluster)
    if (done()) return
  }
  assert.fail(`did not come true: ${what}`)
}

test("a stateful set starts its pods in order, updates them from the last and keeps their claims", async () => {
  await using cluster = await startCluster()
  await cluster.addNode("node-a")
  const ref = { namespace: "default", name: "db" }
  await cluster.client.create(statefulSet, {
    metadata: ref,
    spec: {
      replicas: 3,
      serviceName: "db",
      selector: { matchLabels: labels },
      template: template(labels),
      volumeClaimTemplates: [
        {
          metadata: { name: "data" },
          spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
        } as never,
      ],
    },
  })
  await cluster.clock.advance(5000)
  assert.deepEqual(
    podsOf(cluster).map((one) => one.metadata.name),
    ["db-0"],
  )
  const ready = (): boolean => {
    const { status } = cluster.get(statefulSet, "db", "default")!
    return (
      status?.availableReplicas === 3 &&
      status.updatedReplicas === 3 &&
      status.currentRevision === status.updateRevision
    )
  }
  await settle(cluster, "three pods", ready)
  assert.deepEqual(
    podsOf(cluster).map((one) => one.metadata.name),
    ["db-0", "db-1", "db-2"],
  )
  const first = podsOf(cluster)[0]!
  assert.equal(first.metadata.labels?.["apps.kubernetes.io/pod-index"], "0")
  assert.equal(first.spec.hostname, "db-0")
  assert.equal(first.spec.subdomain, "db")
  assert.equal(
    first.spec.volumes?.find((volume) => volume.name === "data")?.persistentVolumeClaim?.claimName,
    "data-db-0",
  )
  assert.deepEqual(
    cluster
      .list(persistentVolumeClaim, "default")
      .map((one) => one.metadata.name)
      .sort(),
    ["data-db-0", "data-db-1", "data-db-2"],
  )
  const messages = cluster.list(event, "default").map((one) => one.message)
  assert.ok(messages.includes("Create Pod db-0 in StatefulSet db successful"))
  assert.ok(messages.includes("Create Claim data-db-0 Pod db-0 in StatefulSet db success"))

  await cluster.client.patch(statefulSet, ref, "strategic", {
    spec: { template: { spec: { containers: [{ name: "app", image: "app:2" }] } } },
  })
  const order: string[] = []
  const uids = new Map(podsOf(cluster).map((one) => [one.metadata.name, one.metadata.uid]))
  await settle(cluster, "update", () => {
    for (const one of podsOf(cluster)) {
      if (uids.get(one.metadata.name) !== one.metadata.uid && !order.includes(one.metadata.name))
        order.push(one.metadata.name)
    }
    return ready() && order.length === 3
  })
  assert.deepEqual(order, ["db-2", "db-1", "db-0"])
  assert.equal(cluster.list(controllerRevision, "default").length, 2)

  await cluster.client.patch(statefulSet, ref, "merge", { spec: { replicas: 1 } })
  await settle(
    cluster,
    "one pod",
    () => podsOf(cluster).length === 1 && cluster.get(statefulSet, "db", "default")!.status.replicas === 1,
  )
  assert.equal(podsOf(cluster)[0]!.metadata.name, "db-0")
  assert.equal(cluster.list(persistentVolumeClaim, "default").length, 3)
})

test("a daemon set runs on every node that it may, and rolls out one node at a time", async () => {
  await using cluster = await startCluster()
  for (const name of ["node-a", "node-b", "node-c"]) await cluster.addNode(name)
  await cluster.client.patch(node, { name: "node-c" }, "merge", {
    spec: { taints: [{ key: "dedicated", value: "x", effect: "NoSchedule" }] },
  })
  const ref = { namespace: "default", name: "agent" }
  await cluster.client.create(daemonSet, {
    metadata: ref,
    spec: { selector: { matchLabels: labels }, template: template(labels) },
  })
  const done = (image: string) => (): boolean => {
    const { status, metadata } = cluster.get(daemonSet, "agent", "default")!
    return (
      status?.numberAvailable === 2 &&
      status.updatedNumberScheduled === 2 &&
      status.observedGeneration === metadata.generation &&
      podsOf(cluster).every((one) => one.spec.containers[0]!.image === image)
    )
  }
  await settle(cluster, "two pods", done("app:1"))
  assert.deepEqual(
    podsOf(cluster)
      .map((one) => one.spec.nodeName)
      .sort(),
    ["node-a", "node-b"],
  )
  await cluster.client.patch(daemonSet, ref, "strategic", {
    spec: { template: { spec: { containers: [{ name: "app", image: "app:2" }] } } },
  })
  await cluster.clock.advance(500)
  assert.equal(podsOf(cluster).filter((one) => one.metadata.deletionTimestamp).length, 1)
  await settle(cluster, "update", done("app:2"))
  await cluster.client.patch(node, { name: "node-c" }, "merge", { spec: { taints: null } })
  await settle(
    cluster,
    "third pod",
    () => cluster.get(daemonSet, "agent", "default")!.status.numberAvailable === 3,
  )
})

test("a cron job starts a job every five minutes for six hours and keeps its history short", async () => {
  await using cluster = await startCluster()
  await cluster.client.create(cronJob, {
    metadata: { name: "tick", namespace: "default" },
    spec: {
      schedule: "*/5 * * * *",
      concurrencyPolicy: "Forbid",
      jobTemplate: {
        metadata: {},
        spec: { template: { ...template({}), spec: { ...template({}).spec, restartPolicy: "Never" } } },
      },
    },
  })
  const names = new Set<string>()
  for (let i = 0; i < 6 * 12; i++) {
    await cluster.clock.advance(300_000)
    for (const one of cluster.list(job, "default")) names.add(one.metadata.name)
    for (const one of podsOf(cluster)) {
      if (one.status?.phase === "Pending") {
        await cluster.client.patch(
          pod,
          one.metadata,
          "strategic",
          { status: { phase: "Succeeded" } },
          { subresource: "status" },
        )
      }
    }
    await cluster.clock.advance(0)
  }
  assert.ok(names.size >= 71 && names.size <= 73, `${names.size} jobs`)
  assert.ok(cluster.list(job, "default").length <= 5)
  assert.ok(cluster.get(cronJob, "tick", "default")!.status.lastSuccessfulTime)
})

test("a disruption budget counts what may go", async () => {
  await using cluster = await startCluster()
  await cluster.addNode("node-a")
  await cluster.client.create(podDisruptionBudget, {
    metadata: { name: "db", namespace: "default" },
    spec: { maxUnavailable: "34%", selector: { matchLabels: labels } },
  })
  await cluster.client.create(deployment, {
    metadata: { name: "db", namespace: "default" },
    spec: { replicas: 3, selector: { matchLabels: labels }, template: template(labels) },
  })
  await settle(
    cluster,
    "budget",
    () => cluster.get(podDisruptionBudget, "db", "default")!.status?.currentHealthy === 3,
  )
  const { status } = cluster.get(podDisruptionBudget, "db", "default")!
  assert.equal(status.expectedPods, 3)
  assert.equal(status.desiredHealthy, 1)
  assert.equal(status.disruptionsAllowed, 2)
  assert.equal(status.conditions![0]!.reason, "SufficientPods")
})

test("an orphan is adopted, and released when its labels change", async () => {
  await using cluster = await startCluster()
  await cluster.client.create(pod, {
    metadata: { name: "stray", namespace: "default", labels },
    spec: template(labels).spec,
  })
  await cluster.client.create(replicaSet, {
    metadata: { name: "db", namespace: "default" },
    spec: { replicas: 1, selector: { matchLabels: labels }, template: template(labels) },
  })
  const stray = (): Pod => cluster.get(pod, "stray", "default")!
  await cluster.until("adoption", () => controllerOf(stray())?.name === "db")
  assert.equal(podsOf(cluster).length, 1)
  await cluster.client.patch(pod, stray().metadata, "merge", { metadata: { labels: { app: "other" } } })
  await cluster.until("release", () => controllerOf(stray()) === undefined && podsOf(cluster).length === 2)
})

test("a reference into another namespace is reported and the dependent collected", async () => {
  await using cluster = await startCluster()
  await cluster.client.create(namespace, { metadata: { name: "other" }, spec: {} })
  const owner = await cluster.client.create(configMap, { metadata: { name: "owner", namespace: "other" } })
  const ownerReferences = [{ apiVersion: "v1", kind: "ConfigMap", name: "owner", uid: owner.metadata.uid }]
  await cluster.client.create(configMap, { metadata: { name: "good", namespace: "other", ownerReferences } })
  await cluster.client.create(configMap, { metadata: { name: "bad", namespace: "default", ownerReferences } })
  await cluster.until("collected", () => cluster.get(configMap, "bad", "default") === undefined)
  assert.ok(cluster.get(configMap, "good", "other"))
  await cluster.until("event", () =>
    cluster.list(event, "default").some((one) => one.reason === "OwnerRefInvalidNamespace"),
  )
  await cluster.client.delete(
    configMap,
    { namespace: "other", name: "owner" },
    { propagationPolicy: "Background" },
  )
  await cluster.until("dependent gone", () => cluster.get(configMap, "good", "other") === undefined)
})

test("an idle cluster does nothing", async () => {
  await using cluster = await startCluster()
  await cluster.clock.advance(60_000)
  const before =
    cluster.list(customResourceDefinition).length +
    Number(cluster.get(namespace, "default")!.metadata.resourceVersion)
  let writes = 0
  using _watch = cluster.plane.registry.onChange(event, () => writes++)
  await cluster.clock.advance(3_600_000)
  assert.equal(writes, 0)
  assert.equal(
    cluster.list(customResourceDefinition).length +
      Number(cluster.get(namespace, "default")!.metadata.resourceVersion),
    before,
  )
})
