import assert from "node:assert/strict"
import { test } from "node:test"
import {
  configMap,
  event,
  job,
  pod,
  replicaSet,
  statefulSet,
  daemonSet,
  type Job,
  type JobSpec,
  type Pod,
} from "@knarr/api"
import { formatTime } from "@knarr/apimachinery"
import { startCluster, template, type TestCluster } from "./cluster.ts"

const never = (): JobSpec["template"] => ({
  ...template({}),
  spec: { ...template({}).spec, restartPolicy: "Never" },
})

async function startJob(cluster: TestCluster, spec: Partial<JobSpec>): Promise<void> {
  await cluster.client.create(job, {
    metadata: { name: "j", namespace: "default" },
    spec: { template: never(), ...spec },
  })
}

async function end(cluster: TestCluster, one: Pod, phase: string, exitCode: number): Promise<void> {
  const finishedAt = formatTime(cluster.clock.now())
  const containerStatuses = [
    {
      name: "app",
      image: "app:1",
      imageID: "",
      ready: false,
      restartCount: 0,
      state: { terminated: { exitCode, finishedAt } },
    },
  ]
  await cluster.client.patch(
    pod,
    one.metadata,
    "strategic",
    { status: { phase, containerStatuses } },
    { subresource: "status" },
  )
}

const conditions = (one: Job | undefined): Record<string, string> =>
  Object.fromEntries(
    (one?.status?.conditions ?? [])
      .filter((each) => each.status === "True")
      .map((each) => [each.type, each.reason ?? ""]),
  )
const theJob = (cluster: TestCluster): Job | undefined => cluster.get(job, "j", "default")
const pending = (cluster: TestCluster): Pod[] =>
  cluster
    .list(pod, "default")
    .filter((one) => one.status?.phase === "Pending" && !one.metadata.deletionTimestamp)

test("a job that fails too often ends, with growing pauses in between", async () => {
  await using cluster = await startCluster()
  await startJob(cluster, { backoffLimit: 2 })
  const starts: number[] = []
  for (let i = 0; i < 200 && !conditions(theJob(cluster))["Failed"]; i++) {
    await cluster.clock.advance(1000)
    for (const one of pending(cluster)) {
      starts.push(cluster.clock.now() / 1000)
      await end(cluster, one, "Failed", 1)
    }
  }
  assert.equal(starts.length, 3)
  assert.ok(
    starts[1]! - starts[0]! >= 10 && starts[1]! - starts[0]! <= 13,
    `first pause ${starts[1]! - starts[0]!}`,
  )
  assert.ok(
    starts[2]! - starts[1]! >= 20 && starts[2]! - starts[1]! <= 23,
    `second pause ${starts[2]! - starts[1]!}`,
  )
  assert.deepEqual(conditions(theJob(cluster)), {
    FailureTarget: "BackoffLimitExceeded",
    Failed: "BackoffLimitExceeded",
  })
  assert.equal(theJob(cluster)!.status.failed, 3)
  await cluster.until("event", () =>
    cluster
      .list(event, "default")
      .some((one) => one.message === "Job has reached the specified backoff limit"),
  )
})

test("an indexed job completes every index and names its pods by them", async () => {
  await using cluster = await startCluster()
  await startJob(cluster, { completionMode: "Indexed", completions: 4, parallelism: 2 })
  await cluster.until("two pods", () => pending(cluster).length === 2)
  const indexes = pending(cluster).map(
    (one) => one.metadata.annotations?.["batch.kubernetes.io/job-completion-index"],
  )
  assert.deepEqual(indexes.sort(), ["0", "1"])
  assert.match(pending(cluster)[0]!.metadata.name, /^j-[01]-/)
  assert.match(pending(cluster)[0]!.spec.hostname!, /^j-[01]$/)
  for (let i = 0; i < 10 && !conditions(theJob(cluster))["Complete"]; i++) {
    for (const one of pending(cluster)) await end(cluster, one, "Succeeded", 0)
    await cluster.clock.advance(1000)
  }
  assert.equal(theJob(cluster)!.status.completedIndexes, "0-3")
  assert.equal(theJob(cluster)!.status.succeeded, 4)
})

test("a failure policy ends a job at once or ignores a failure", async () => {
  await using cluster = await startCluster()
  const rules = [
    { action: "Ignore", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] },
    { action: "FailJob", onExitCodes: { operator: "In", values: [42] } },
  ]
  await startJob(cluster, { backoffLimit: 0, podFailurePolicy: { rules } })
  await cluster.until("pod", () => pending(cluster).length === 1)
  const first = pending(cluster)[0]!
  const disruption = [{ type: "DisruptionTarget", status: "True" }]
  await cluster.client.patch(
    pod,
    first.metadata,
    "strategic",
    { status: { phase: "Failed", conditions: disruption } },
    { subresource: "status" },
  )
  await cluster.until("another pod", () => pending(cluster).length === 1)
  assert.equal(theJob(cluster)!.status.failed ?? 0, 0)
  await end(cluster, pending(cluster)[0]!, "Failed", 42)
  await cluster.until("failed", () => conditions(theJob(cluster))["Failed"] === "PodFailurePolicy")
  const message = theJob(cluster)!.status.conditions!.find((one) => one.type === "Failed")!.message!
  assert.match(
    message,
    /^Container app for pod default\/j-\w+ failed with exit code 42 matching FailJob rule at index 1$/,
  )
})

test("a suspended job has no pods and starts its clock when resumed", async () => {
  await using cluster = await startCluster()
  await startJob(cluster, { suspend: true, activeDeadlineSeconds: 30 })
  await cluster.clock.advance(60_000)
  assert.equal(cluster.list(pod, "default").length, 0)
  assert.equal(conditions(theJob(cluster))["Suspended"], "JobSuspended")
  await cluster.client.patch(job, { namespace: "default", name: "j" }, "merge", { spec: { suspend: false } })
  await cluster.until("pod", () => pending(cluster).length === 1)
  await cluster.clock.advance(31_000)
  assert.equal(conditions(theJob(cluster))["FailureTarget"], "DeadlineExceeded")
})

test("why pods cannot be created shows in the replica set's condition and in an event", async () => {
  await using cluster = await startCluster()
  const broken = template({ app: "web" })
  broken.spec.serviceAccountName = "nobody"
  await cluster.client.create(replicaSet, {
    metadata: { name: "web", namespace: "default" },
    spec: { replicas: 1, selector: { matchLabels: { app: "web" } }, template: broken },
  })
  await cluster.until(
    "condition",
    () => cluster.get(replicaSet, "web", "default")!.status?.conditions?.length === 1,
  )
  const [condition] = cluster.get(replicaSet, "web", "default")!.status.conditions!
  assert.equal(condition!.type, "ReplicaFailure")
  assert.equal(condition!.reason, "FailedCreate")
  assert.match(condition!.message!, /forbidden: error looking up service account default\/nobody/)
  await cluster.until("event", () =>
    cluster.list(event, "default").some((one) => one.message === `Error creating: ${condition!.message}`),
  )
})

test("a stateful set replaces a pod that failed", async () => {
  await using cluster = await startCluster()
  await cluster.addNode("node-a")
  await cluster.client.create(statefulSet, {
    metadata: { name: "db", namespace: "default" },
    spec: {
      replicas: 1,
      serviceName: "db",
      selector: { matchLabels: { app: "db" } },
      template: template({ app: "db" }),
    },
  })
  await cluster.until("pod", () => cluster.get(pod, "db-0", "default") !== undefined)
  const { uid } = cluster.get(pod, "db-0", "default")!.metadata
  await cluster.client.patch(
    pod,
    { namespace: "default", name: "db-0" },
    "strategic",
    { status: { phase: "Failed" } },
    { subresource: "status" },
  )
  await cluster.until("another", () => {
    const now = cluster.get(pod, "db-0", "default")
    return now !== undefined && now.metadata.uid !== uid
  })
  assert.ok(cluster.list(event, "default").some((one) => one.reason === "RecreatingFailedPod"))
})

test("a daemon pod that keeps failing is replaced ever more slowly", async () => {
  await using cluster = await startCluster()
  await cluster.addNode("node-a")
  await cluster.client.create(daemonSet, {
    metadata: { name: "agent", namespace: "default" },
    spec: { selector: { matchLabels: { app: "a" } }, template: template({ app: "a" }) },
  })
  const seen = new Set<string>()
  for (let i = 0; i < 120; i++) {
    for (const one of cluster.list(pod, "default")) {
      seen.add(one.metadata.uid)
      const ref = { namespace: "default", name: one.metadata.name }
      if (one.status?.phase !== "Failed") {
        await cluster.makeReady(one)
        await cluster.client.patch(
          pod,
          ref,
          "strategic",
          { status: { phase: "Failed" } },
          { subresource: "status" },
        )
      }
      if (one.metadata.deletionTimestamp) await cluster.client.delete(pod, ref, { gracePeriodSeconds: 0 })
    }
    await cluster.clock.advance(1000)
  }
  assert.ok(seen.size >= 5 && seen.size <= 10, `${seen.size} pods in two minutes`)
})

test("a circle of owners that waits in the foreground is broken", async () => {
  await using cluster = await startCluster()
  const make = (name: string): Promise<{ metadata: { uid: string } }> =>
    cluster.client.create(configMap, { metadata: { name, namespace: "default" } })
  const [a, b, c] = [await make("a"), await make("b"), await make("c")]
  const own = async (name: string, owner: string, uid: string): Promise<void> => {
    const ownerReferences = [
      { apiVersion: "v1", kind: "ConfigMap", name: owner, uid, blockOwnerDeletion: true },
    ]
    await cluster.client.patch(configMap, { namespace: "default", name }, "merge", {
      metadata: { ownerReferences },
    })
  }
  await own("a", "c", c.metadata.uid)
  await own("b", "a", a.metadata.uid)
  await own("c", "b", b.metadata.uid)
  await cluster.clock.advance(1000)
  await cluster.client.delete(
    configMap,
    { namespace: "default", name: "a" },
    { propagationPolicy: "Foreground" },
  )
  await cluster.until("all gone", () =>
    cluster.list(configMap, "default").every((one) => one.metadata.name.startsWith("kube-")),
  )
})
