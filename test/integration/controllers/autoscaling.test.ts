/** Horizontal autoscaling on a virtual clock, by use of CPU that the test says. */
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import {
  configMap,
  deployment,
  event,
  horizontalPodAutoscaler,
  node,
  pod,
  type HorizontalPodAutoscaler,
} from "@knarr/api"
import type { HostedVersion } from "@knarr/apiserver"
import { formatTime, type KubeObject } from "@knarr/apimachinery"
import { startCluster, type TestCluster } from "./cluster.ts"

const namespace = "default"

interface Load {
  /** Thousandths of a CPU that each pod uses; undefined: nothing is known. */
  milli: number | undefined
  asked: number
}

/** metrics.k8s.io, as the pods of the cluster would have it. */
function metricsOf(load: Load, cluster: () => TestCluster): HostedVersion {
  return {
    group: "metrics.k8s.io",
    version: "v1beta1",
    groupPriority: 100,
    versionPriority: 100,
    resources: [
      {
        resource: "pods",
        responseKind: { group: "", version: "", kind: "PodMetrics" },
        scope: "Namespaced",
        singularResource: "",
        verbs: ["get", "list"],
      },
    ],
    get: () => Promise.reject(new Error("nobody asks for one")),
    async list({ labelSelector }) {
      load.asked++
      const { milli } = load
      if (milli === undefined) return []
      const [, app] = labelSelector.split("=")
      const { clock } = cluster()
      return cluster()
        .list(pod, namespace)
        .filter(({ metadata, status }) => metadata.labels?.["app"] === app && status.phase === "Running")
        .map(
          ({ metadata: { name } }) =>
            ({
              kind: "PodMetrics",
              apiVersion: "metrics.k8s.io/v1beta1",
              metadata: { name, namespace },
              timestamp: formatTime(clock.now()),
              window: "15s",
              containers: [{ name: "app", usage: { cpu: `${milli}m` } }],
            }) as unknown as KubeObject,
        )
    },
    table: () => ({ columnDefinitions: null, cells: [] }),
  }
}

async function withCluster(run: (cluster: TestCluster, load: Load) => Promise<void>): Promise<void> {
  const load: Load = { milli: undefined, asked: 0 }
  let started: TestCluster | undefined
  await using cluster = await startCluster({ hosted: [metricsOf(load, () => started!)] })
  started = cluster
  await cluster.addNode("node-a")
  await run(cluster, load)
}

async function addDeployment(
  { client }: TestCluster,
  name: string,
  replicas: number,
  app = name,
): Promise<void> {
  await client.create(deployment, {
    metadata: { namespace, name },
    spec: {
      replicas,
      selector: { matchLabels: { app } },
      template: {
        metadata: { labels: { app } },
        spec: { containers: [{ name: "app", image: "img", resources: { requests: { cpu: "100m" } } }] },
      },
    },
  } as never)
}

async function addAutoscaler(
  { client }: TestCluster,
  name: string,
  spec: object = {},
  target: object = { apiVersion: "apps/v1", kind: "Deployment", name },
): Promise<void> {
  await client.create(horizontalPodAutoscaler, {
    metadata: { namespace, name },
    spec: {
      scaleTargetRef: target,
      minReplicas: 1,
      maxReplicas: 10,
      metrics: [
        {
          type: "Resource",
          resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 50 } },
        },
      ],
      ...spec,
    },
  } as never)
}

const of = (cluster: TestCluster, name: string): HorizontalPodAutoscaler =>
  cluster.get(horizontalPodAutoscaler, name, namespace)!

const replicasOf = (cluster: TestCluster, name: string): number =>
  cluster.get(deployment, name, namespace)!.spec.replicas!

function condition(cluster: TestCluster, name: string, type: string): string {
  const found = of(cluster, name).status.conditions?.find((one) => one.type === type)
  return found ? `${found.status} ${found.reason}: ${found.message}` : ""
}

const eventsOf = (cluster: TestCluster, name: string): string[] =>
  cluster
    .list(event, namespace)
    .filter(
      ({ involvedObject }) =>
        involvedObject.kind === "HorizontalPodAutoscaler" && involvedObject.name === name,
    )
    .map(({ type, reason, message, source }) => `${source?.component} ${type} ${reason}: ${message}`)

/** Plays the kubelet for all pods that wait, for so many virtual seconds. */
async function runFor(cluster: TestCluster, seconds: number): Promise<void> {
  for (let passed = 0; passed < seconds; passed += 5) {
    const ready = { type: "Ready", status: "True", lastHeartbeatTime: formatTime(cluster.clock.now()) }
    const beat = { status: { conditions: [ready] } }
    await cluster.client.patch(node, { name: "node-a" }, "strategic", beat, { subresource: "status" })
    for (const one of cluster.list(pod, namespace))
      if (one.status.phase === "Pending" && !one.metadata.deletionTimestamp) await cluster.makeReady(one)
    for (const one of cluster.list(pod, namespace))
      if (one.metadata.deletionTimestamp)
        await cluster.client.delete(pod, { namespace, name: one.metadata.name }, { gracePeriodSeconds: 0 })
    await cluster.clock.advance(5000)
  }
}

describe("the horizontal autoscaler", () => {
  it("follows use of CPU up at once and down after five minutes, and says why", () =>
    withCluster(async (cluster, load) => {
      await addDeployment(cluster, "web", 2)
      await addAutoscaler(cluster, "web")
      await runFor(cluster, 20)
      assert.equal(
        condition(cluster, "web", "AbleToScale"),
        "True SucceededGetScale: the HPA controller was able to get the target's current scale",
      )
      const missing =
        "failed to get cpu utilization: unable to get metrics for resource cpu: no metrics returned from resource metrics API"
      assert.equal(
        condition(cluster, "web", "ScalingActive"),
        `False FailedGetResourceMetric: the HPA was unable to compute the replica count: ${missing}`,
      )
      assert.deepEqual(eventsOf(cluster, "web"), [
        `horizontal-pod-autoscaler Warning FailedGetResourceMetric: ${missing}`,
        "horizontal-pod-autoscaler Warning FailedComputeMetricsReplicas: invalid metrics (1 invalid out of 1), " +
          `first error is: failed to get cpu resource metric value: ${missing}`,
      ])
      load.milli = 100
      await runFor(cluster, 20)
      assert.equal(replicasOf(cluster, "web"), 4, "twice as much as it should be")
      const { status } = of(cluster, "web")
      assert.deepEqual(status.currentMetrics, [
        {
          type: "Resource",
          resource: { name: "cpu", current: { averageUtilization: 100, averageValue: "100m" } },
        },
      ])
      assert.deepEqual([status.currentReplicas, status.desiredReplicas], [2, 4])
      assert.equal(
        condition(cluster, "web", "AbleToScale"),
        "True SucceededRescale: the HPA controller was able to update the target scale to 4",
      )
      assert.equal(
        condition(cluster, "web", "ScalingActive"),
        "True ValidMetricFound: the HPA was able to successfully calculate a replica count from cpu resource utilization (percentage of request)",
      )
      assert.equal(
        condition(cluster, "web", "ScalingLimited"),
        "False DesiredWithinRange: the desired count is within the acceptable range",
      )
      assert.ok(
        eventsOf(cluster, "web").includes(
          "horizontal-pod-autoscaler Normal SuccessfulRescale: New size: 4; reason: cpu resource utilization (percentage of request) above target",
        ),
      )
      await runFor(cluster, 90)
      assert.equal(replicasOf(cluster, "web"), 10, "as many as there may be")
      assert.equal(
        condition(cluster, "web", "ScalingLimited"),
        "True TooManyReplicas: the desired replica count is more than the maximum replica count",
      )
      load.milli = 1
      await runFor(cluster, 200)
      assert.equal(replicasOf(cluster, "web"), 10)
      assert.match(condition(cluster, "web", "AbleToScale"), /^True ScaleDownStabilized: /)
      await runFor(cluster, 180)
      assert.equal(replicasOf(cluster, "web"), 1)
      assert.ok(
        eventsOf(cluster, "web").some((text) =>
          text.endsWith("New size: 1; reason: All metrics below target"),
        ),
      )
      assert.equal(of(cluster, "web").status.observedGeneration, of(cluster, "web").metadata.generation)
    }))

  it("does nothing when there is none, and asks once in 15 s for each", () =>
    withCluster(async (cluster, load) => {
      await addDeployment(cluster, "web", 1)
      load.milli = 50
      await runFor(cluster, 120)
      assert.equal(load.asked, 0)
      await addAutoscaler(cluster, "web")
      await runFor(cluster, 150)
      assert.ok(load.asked >= 9 && load.asked <= 12, `${load.asked}`)
      await cluster.client.delete(horizontalPodAutoscaler, { namespace, name: "web" })
      await runFor(cluster, 30)
      const before = load.asked
      await runFor(cluster, 120)
      assert.equal(load.asked, before)
    }))

  it("is woken by another spec, and says what keeps it from scaling", () =>
    withCluster(async (cluster, load) => {
      load.milli = 50
      await addDeployment(cluster, "web", 3)
      await runFor(cluster, 30)
      await addAutoscaler(cluster, "web")
      await runFor(cluster, 5)
      await cluster.client.patch(horizontalPodAutoscaler, { namespace, name: "web" }, "merge", {
        spec: { maxReplicas: 2 },
      })
      await cluster.clock.advance(1000)
      assert.equal(replicasOf(cluster, "web"), 2)
      assert.ok(
        eventsOf(cluster, "web").some((text) =>
          text.endsWith("New size: 2; reason: Current number of replicas above Spec.MaxReplicas"),
        ),
      )
      await cluster.client.create(configMap, { metadata: { namespace, name: "c" } } as never)
      await addAutoscaler(cluster, "gone", {}, { apiVersion: "apps/v1", kind: "Deployment", name: "gone" })
      await addAutoscaler(cluster, "kindless", {}, { apiVersion: "apps/v1", kind: "Deploiment", name: "x" })
      await addAutoscaler(cluster, "scaleless", {}, { apiVersion: "v1", kind: "ConfigMap", name: "c" })
      await addDeployment(cluster, "other", 1, "web2")
      await addAutoscaler(cluster, "other")
      await addAutoscaler(
        cluster,
        "another",
        {},
        { apiVersion: "apps/v1", kind: "Deployment", name: "other" },
      )
      await addDeployment(cluster, "zero", 0)
      await addAutoscaler(cluster, "zero")
      await runFor(cluster, 35)
      const unable = "False FailedGetScale: the HPA controller was unable to get the target's current scale: "
      assert.equal(condition(cluster, "gone", "AbleToScale"), `${unable}deployments.apps "gone" not found`)
      assert.equal(
        condition(cluster, "kindless", "AbleToScale"),
        `${unable}no matches for kind "Deploiment" in group "apps"`,
      )
      assert.equal(
        condition(cluster, "scaleless", "AbleToScale"),
        `${unable}the server could not find the requested resource`,
      )
      assert.equal(
        condition(cluster, "zero", "ScalingActive"),
        "False ScalingDisabled: scaling is disabled since the replica count of the target is zero",
      )
      assert.equal(
        condition(cluster, "another", "ScalingActive"),
        "False AmbiguousSelector: pods by selector app=web2 are controlled by more than one HPA (e.g. [{another default} {other default}])",
      )
    }))

  it("says so when nobody serves what it measures by", async () => {
    await using cluster = await startCluster()
    await cluster.addNode("node-a")
    await addDeployment(cluster, "web", 1)
    await addAutoscaler(cluster, "web")
    await runFor(cluster, 20)
    assert.equal(
      condition(cluster, "web", "ScalingActive"),
      "False FailedGetResourceMetric: the HPA was unable to compute the replica count: failed to get cpu utilization: " +
        "unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: " +
        "the server could not find the requested resource (get pods.metrics.k8s.io)",
    )
    const metrics = cluster.env.meter.text()
    for (const line of [
      "horizontal_pod_autoscaler_controller_num_horizontal_pod_autoscalers 1",
      'horizontal_pod_autoscaler_controller_reconciliations_total{action="none",error="internal"} 2',
      'horizontal_pod_autoscaler_controller_metric_computation_total{action="none",error="internal",metric_type="Resource"} 2',
    ])
      assert.ok(metrics.includes(`${line}\n`), line)
  })
})
