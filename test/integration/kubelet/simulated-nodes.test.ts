/** Many nodes of one process, as `knarr up --simulated-nodes` has them: what they share, and what an end of it costs. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { deployment, job, node, pod, type Pod } from "@knarr/api"
import { Meter, silentLogger } from "@knarr/base"
import { createEventRecorder, createInformerFactory } from "@knarr/client"
import {
  SimulatedHost,
  WatchedObjects,
  behaviourOf,
  createNodeInformers,
  createSimulatedMachine,
  createSimulatedRuntime,
  restorePod,
  startKubelet,
} from "@knarr/kubelet"
import { startControlPlane, type VirtualControlPlane } from "knarr/testing"

const names = ["sim-0", "sim-1", "sim-2"]

/** The process: its end takes the kubelets, and what they pretended to run, with it. */
async function startFleet(cluster: VirtualControlPlane): Promise<{ end(): Promise<void> }> {
  const { env, plane } = cluster
  const scope = cluster.scope.child("fleet")
  const client = plane.client()
  const all = createInformerFactory({ client, env, scope })
  const pods = all.informer(pod, { fieldSelector: "spec.nodeName!=" })
  await cluster.clock.runUntil(() => pods.synced, { what: "pods", limitMs: 10_000 })
  const shared = {
    informers: createNodeInformers(all),
    objects: new WatchedObjects({ env, client, scope }),
    events: createEventRecorder({ client, scope, env, component: "kubelet" }),
    makeToken: () => "simulated",
  }
  for (const [i, name] of names.entries()) {
    const podCIDR = `100.64.${i}.0/24`
    const host = new SimulatedHost({
      env,
      podCIDR,
      behaviour: ({ config, sandboxConfig }) =>
        behaviourOf(pods.get(sandboxConfig.metadata!)!, config.metadata!.name),
    })
    for (const one of pods.list()) if (one.spec.nodeName === name) restorePod(host, one)
    await startKubelet({
      env: { ...env, log: silentLogger, meter: new Meter() },
      ...{ scope, shared, nodeName: name, eviction: false, podCIDRs: [podCIDR], leaseSeconds: 120 },
      client: plane.client({ name: `system:node:${name}`, groups: ["system:nodes", "system:authenticated"] }),
      version: "v1.37.2",
      runtime: createSimulatedRuntime(host),
      machine: createSimulatedMachine({ hostname: name, addresses: [`198.18.0.${i + 1}`] }),
      clusterDNS: ["10.96.0.10"],
    })
  }
  return { end: () => scope.close() }
}

const isReady = (one: Pod): boolean =>
  one.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false

const containers = (pods: readonly Pod[]): string[] =>
  pods
    .map(({ metadata, status }) => {
      const [one] = status.containerStatuses ?? []
      return `${metadata.name} ${status.podIP} ${one?.containerID} ${one?.restartCount} ${one?.state?.running?.startedAt}`
    })
    .sort()

test("Pods of simulated nodes run on when the process of all nodes ends and starts again", async () => {
  await using cluster = await startControlPlane({ time: "virtual", seed: 3 })
  const { client, clock, informers } = cluster
  const fleet = await startFleet(cluster)
  const pods = informers.informer(pod)
  const template = (app: string, annotations = {}) => ({
    metadata: { labels: { app }, annotations },
    spec: { containers: [{ name: "c", image: `${app}:1` }] },
  })
  await client.create(deployment, {
    metadata: { namespace: "default", name: "web" },
    spec: { replicas: 6, selector: { matchLabels: { app: "web" } }, template: template("web") },
  })
  const work = template("work", { "simulation.knarr.dev/run-time": "10m" })
  await client.create(job, {
    metadata: { namespace: "default", name: "work" },
    spec: { template: { ...work, spec: { ...work.spec, restartPolicy: "Never" as const } } },
  })
  const startMs = clock.now()
  await clock.runUntil(() => pods.list().filter(isReady).length === 7, { what: "pods", limitMs: 60_000 })
  await clock.advance(5_000)
  const before = containers(pods.list())
  const nodes = informers.informer(node)
  assert.deepEqual(new Set(pods.list().map(({ spec }) => spec.nodeName)), new Set(names))
  assert.deepEqual(
    nodes
      .list()
      .map(({ metadata, spec }) => `${metadata.name} ${spec.podCIDR}`)
      .sort(),
    ["sim-0 100.64.0.0/24", "sim-1 100.64.1.0/24", "sim-2 100.64.2.0/24"],
  )

  await fleet.end()
  await clock.advance(20_000)
  const again = await startFleet(cluster)
  await clock.advance(20_000)
  assert.deepEqual(containers(pods.list()), before)
  await client.delete(pod, { namespace: "default", name: before[0]!.split(" ")[0]! })
  await clock.runUntil(
    () =>
      pods
        .list("default")
        .filter((one) => isReady(one) && !containers([one]).some((text) => before.includes(text))).length ===
      1,
    { what: "another pod in its place", limitMs: 60_000 },
  )
  const done = (): boolean => informers.informer(job).list()[0]?.status?.succeeded === 1
  await clock.runUntil(done, { what: "the job's end", limitMs: 900_000 })
  const tookMs = clock.now() - startMs
  assert.ok(tookMs >= 600_000 && tookMs < 610_000, `its ten minutes took ${tookMs} ms`)
  await again.end()
})
