import assert from "node:assert/strict"
import { test } from "node:test"
import { deployment, endpoints, endpointSlice, event, pod, replicaSet, service, type Pod } from "@knarr/api"
import { startCluster, template, type TestCluster } from "./cluster.ts"

async function runPods(cluster: TestCluster, namespace: string): Promise<void> {
  for (const one of cluster.list(pod, namespace)) {
    if (one.status?.phase !== "Running" && !one.metadata.deletionTimestamp) await cluster.makeReady(one)
    // Nobody runs the containers here: what is deleted is gone at once.
    if (one.metadata.deletionTimestamp) {
      await cluster.client.delete(pod, { namespace, name: one.metadata.name }, { gracePeriodSeconds: 0 })
    }
  }
}

async function settle(cluster: TestCluster, what: string, done: () => boolean): Promise<void> {
  for (let i = 0; i < 60; i++) {
    await runPods(cluster, "default")
    await cluster.clock.advance(1000)
    if (done()) return
  }
  assert.fail(`did not come true: ${what}`)
}

const labels = { app: "web" }

test("a deployment creates its pods, rolls out, and is rolled back", async () => {
  await using cluster = await startCluster()
  await cluster.addNode("node-a")
  const metadata = { name: "web", namespace: "default" }
  const spec = { replicas: 3, selector: { matchLabels: labels }, template: template(labels) }
  await cluster.client.create(deployment, { metadata, spec })
  await cluster.until("three pods", () => cluster.list(pod, "default").length === 3)
  const complete = (): boolean => {
    const d = cluster.get(deployment, "web", "default")!
    return (
      d.status?.updatedReplicas === 3 &&
      d.status.availableReplicas === 3 &&
      d.status.replicas === 3 &&
      d.status.observedGeneration === d.metadata.generation
    )
  }
  await settle(cluster, "complete", complete)
  const first = cluster.list(replicaSet, "default")[0]!
  const d = cluster.get(deployment, "web", "default")!
  assert.equal(d.metadata.annotations?.["deployment.kubernetes.io/revision"], "1")
  const conditions = Object.fromEntries(d.status.conditions!.map((one) => [one.type!, one]))
  assert.equal(conditions["Available"]!.reason, "MinimumReplicasAvailable")
  assert.equal(conditions["Progressing"]!.reason, "NewReplicaSetAvailable")
  assert.equal(
    conditions["Progressing"]!.message,
    `ReplicaSet "${first.metadata.name}" has successfully progressed.`,
  )
  const messages = cluster.list(event, "default").map((one) => one.message)
  assert.ok(messages.includes(`Scaled up replica set ${first.metadata.name} from 0 to 3`))
  assert.ok(messages.some((message) => message?.startsWith(`Created pod: ${first.metadata.name}-`)))

  await cluster.client.patch(deployment, metadata, "strategic", {
    spec: { template: { spec: { containers: [{ name: "app", image: "app:2" }] } } },
  })
  await settle(cluster, "second revision", complete)
  const sets = cluster.list(replicaSet, "default")
  assert.equal(sets.length, 2)
  assert.equal(sets.find((set) => set.metadata.name === first.metadata.name)!.spec.replicas, 0)
  const left = cluster.list(pod, "default").filter((one) => !one.metadata.deletionTimestamp)
  assert.ok(left.every((one) => one.spec.containers[0]!.image === "app:2"))

  await cluster.client.patch(deployment, metadata, "strategic", {
    spec: { template: { spec: { containers: [{ name: "app", image: "app:1" }] } } },
  })
  await settle(cluster, "third revision", complete)
  const back = cluster.get(replicaSet, first.metadata.name, "default")!
  assert.equal(back.spec.replicas, 3)
  assert.equal(back.metadata.annotations?.["deployment.kubernetes.io/revision"], "3")
  assert.equal(back.metadata.annotations?.["deployment.kubernetes.io/revision-history"], "1")
})

test("deleting a deployment in the background removes everything below it", async () => {
  await using cluster = await startCluster()
  await cluster.addNode("node-a")
  const metadata = { name: "web", namespace: "default" }
  const spec = { replicas: 2, selector: { matchLabels: labels }, template: template(labels) }
  await cluster.client.create(deployment, { metadata, spec })
  await cluster.until("two pods", () => cluster.list(pod, "default").length === 2)
  await cluster.client.delete(deployment, metadata, { propagationPolicy: "Background" })
  await settle(
    cluster,
    "all gone",
    () => cluster.list(replicaSet, "default").length === 0 && cluster.list(pod, "default").length === 0,
  )
})

test("deleting in the foreground waits for dependents; orphaning keeps them", async () => {
  await using cluster = await startCluster()
  await cluster.addNode("node-a")
  const create = (name: string): Promise<unknown> =>
    cluster.client.create(replicaSet, {
      metadata: { name, namespace: "default" },
      spec: { replicas: 1, selector: { matchLabels: { app: name } }, template: template({ app: name }) },
    })
  await create("a")
  await create("b")
  const podsOf = (app: string): Pod[] =>
    cluster.list(pod, "default").filter((one) => one.metadata.labels?.["app"] === app)
  await cluster.until("pods", () => podsOf("a").length === 1 && podsOf("b").length === 1)
  for (const one of [...podsOf("a"), ...podsOf("b")]) await cluster.makeReady(one)
  await cluster.client.delete(
    replicaSet,
    { namespace: "default", name: "a" },
    { propagationPolicy: "Foreground" },
  )
  await cluster.until("pod of a terminating", () => podsOf("a")[0]?.metadata.deletionTimestamp !== undefined)
  assert.deepEqual(cluster.get(replicaSet, "a", "default")?.metadata.finalizers, ["foregroundDeletion"])
  await cluster.client.delete(pod, podsOf("a")[0]!.metadata, { gracePeriodSeconds: 0 })
  await cluster.until("a gone", () => cluster.get(replicaSet, "a", "default") === undefined)

  await cluster.client.delete(
    replicaSet,
    { namespace: "default", name: "b" },
    { propagationPolicy: "Orphan" },
  )
  await cluster.until("b gone", () => cluster.get(replicaSet, "b", "default") === undefined)
  assert.equal(podsOf("b").length, 1)
  assert.deepEqual(podsOf("b")[0]!.metadata.ownerReferences ?? [], [])
})

test("a service's slices and endpoints follow its pods", async () => {
  await using cluster = await startCluster()
  await cluster.addNode("node-a", { "topology.kubernetes.io/zone": "z1" })
  await cluster.client.create(service, {
    metadata: { name: "web", namespace: "default" },
    spec: { selector: labels, ports: [{ name: "http", port: 80, targetPort: 8080 }] },
  })
  const slices = (): readonly import("@knarr/api").EndpointSlice[] =>
    cluster
      .list(endpointSlice, "default")
      .filter((one) => one.metadata.labels?.["kubernetes.io/service-name"] === "web")
  await cluster.until("placeholder", () => slices().length === 1)
  await cluster.client.create(pod, {
    metadata: { name: "one", namespace: "default", labels },
    spec: template(labels).spec,
  })
  await cluster.makeReady(cluster.get(pod, "one", "default")!)
  await cluster.until("endpoint", () => slices()[0]?.endpoints?.length === 1)
  assert.equal(slices().length, 1)
  const [endpoint] = slices()[0]!.endpoints!
  assert.deepEqual(endpoint!.conditions, { ready: true, serving: true, terminating: false })
  assert.equal(endpoint!.zone, "z1")
  assert.equal(slices()[0]!.ports![0]!.port, 8080)
  await cluster.until("endpoints", () => cluster.get(endpoints, "web", "default")?.subsets?.length === 1)
  assert.equal(cluster.get(endpoints, "web", "default")!.subsets![0]!.addresses![0]!.targetRef?.name, "one")
})
