/**
 * What one scheduling decision costs on a large cluster: a profile of the default plugins, a cache of nodes that only
 * exist there, and pods that ask for what is dear to decide. No kubelets, and no reference: it is for comparing Knarr
 * with itself.
 */
import { service, type Node, type Pod } from "@knarr/api"
import {
  ClusterCache,
  createProfile,
  CycleState,
  decide,
  defaultPlugins,
  Nominator,
  type Profile,
} from "@knarr/scheduler"
import { createEventRecorder } from "@knarr/client"
import { startControlPlane, type TestControlPlane } from "knarr/testing"
import { figure, percentile, renderTable } from "./report.ts"

export interface SchedulerFigures {
  readonly nodes: number
  readonly scenario: string
  /** Milliseconds of processor time of one decision, on average, with the snapshot before it and the assumption after it. */
  readonly cpu: number
  /** The same by the clock, which other work on the machine lengthens. */
  readonly p50: number
  readonly p99: number
}

interface Scenario {
  readonly name: string
  /** Of each node. */
  readonly running: number
  /** Nodes on which nothing runs. */
  readonly free?: number
  /** Of the running pods, and of those that are decided. */
  readonly others: object
  readonly wanted: object
  /** A service selects them all. */
  readonly hasService?: boolean
}

const hostKey = "kubernetes.io/hostname"
const zoneKey = "topology.kubernetes.io/zone"
const labels = { app: "web" }
const labelSelector = { matchLabels: labels }
const required = (kind: string, topologyKey: string): object => ({
  affinity: {
    [kind]: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey, labelSelector }] },
  },
})
const preferred = (kind: string, topologyKey: string): object => ({
  affinity: {
    [kind]: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: 10, podAffinityTerm: { topologyKey, labelSelector } },
      ],
    },
  },
})
const spread = (whenUnsatisfiable: string): object => ({
  topologySpreadConstraints: [zoneKey, hostKey].map((topologyKey) => ({
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable,
    labelSelector,
  })),
})
const apart = required("podAntiAffinity", hostKey)
const ratherApart = preferred("podAntiAffinity", hostKey)

const scenarios: readonly Scenario[] = [
  { name: "resources only", running: 10, others: {}, wanted: {} },
  { name: "one per host, one host left", running: 1, free: 1, others: apart, wanted: apart },
  { name: "rather not on one host", running: 10, others: ratherApart, wanted: ratherApart },
  { name: "in one zone", running: 10, others: {}, wanted: required("podAffinity", zoneKey) },
  { name: "spread, must", running: 10, others: {}, wanted: spread("DoNotSchedule") },
  { name: "spread, should", running: 10, others: {}, wanted: spread("ScheduleAnyway") },
  { name: "spread by default", running: 10, others: {}, wanted: {}, hasService: true },
]

const warmUp = 5

/** Prints a table, and returns its figures. */
export async function benchScheduler(options: {
  readonly quick: boolean
  print(text: string): void
}): Promise<readonly SchedulerFigures[]> {
  const figures: SchedulerFigures[] = []
  const rounds = options.quick ? 20 : 100
  for (const hasService of [false, true]) {
    await using cluster = await startControlPlane()
    if (hasService) await makeService(cluster)
    const profile = profileOn(cluster)
    for (const nodes of [2000, 5000]) {
      for (const scenario of scenarios.filter((one) => Boolean(one.hasService) === hasService)) {
        const { cpu, sorted } = measure(cluster, profile, scenario, nodes, rounds)
        figures.push({
          nodes,
          scenario: scenario.name,
          cpu,
          p50: percentile(sorted, 0.5)!,
          p99: percentile(sorted, 0.99)!,
        })
      }
    }
  }
  figures.sort((a, b) => a.nodes - b.nodes)
  const rows = figures.map((one) => [
    `${one.nodes} nodes, ${one.scenario}`,
    figure(one.cpu),
    figure(one.p50),
    figure(one.p99),
  ])
  options.print(renderTable(["one decision, ms", "CPU", "p50", "p99"], rows))
  return figures
}

async function makeService({ client, informers }: TestControlPlane): Promise<void> {
  await client.create(service, {
    metadata: { namespace: "default", name: "web" },
    spec: { selector: labels, ports: [{ port: 80 }] },
  })
  await new Promise<void>(
    (resolve) =>
      void informers
        .informer(service)
        .subscribe({ added: ({ metadata }) => metadata.name === "web" && resolve() }),
  )
}

function profileOn({ client, env, informers, scope }: TestControlPlane): Profile {
  return createProfile({
    name: "default-scheduler",
    plugins: defaultPlugins,
    client,
    env,
    informers,
    scope,
    recorder: createEventRecorder({ client, scope, env, component: "bench" }),
    nominator: new Nominator(),
    activate: () => {},
  })
}

/** Milliseconds of processor time of one decision, and of each by the clock, ascending. */
function measure(
  { env }: TestControlPlane,
  profile: Profile,
  scenario: Scenario,
  nodes: number,
  rounds: number,
): { readonly cpu: number; readonly sorted: readonly number[] } {
  const cache = new ClusterCache()
  for (let i = 0; i < nodes; i++) {
    cache.setNode(nodeOf(`node-${i}`, `zone-${i % 3}`))
    if (i < (scenario.free ?? 0)) continue
    for (let j = 0; j < scenario.running; j++)
      cache.setPod(podOf(`running-${i}-${j}`, { ...scenario.others, nodeName: `node-${i}` }))
  }
  const times: number[] = []
  let startAt = 0
  let used = process.cpuUsage()
  for (let i = 0; i < rounds + warmUp; i++) {
    const pod = podOf(`wanted-${i}`, scenario.wanted)
    if (i === warmUp) used = process.cpuUsage()
    const began = env.clock.monotonic()
    const decision = decide(profile, new CycleState(cache.snapshot()), pod, env.random, startAt)
    if (!("node" in decision)) throw new Error(`no node was found for "${scenario.name}"`)
    const assigned = { ...pod, spec: { ...pod.spec, nodeName: decision.node } }
    cache.assume(assigned)
    if (i >= warmUp) times.push(env.clock.monotonic() - began)
    startAt = (startAt + decision.evaluated) % nodes
    // The one host stays the only one.
    if (scenario.free) cache.forget(assigned)
  }
  const { user, system } = process.cpuUsage(used)
  return { cpu: (user + system) / 1000 / rounds, sorted: times.sort((a, b) => a - b) }
}

function nodeOf(name: string, zone: string): Node {
  const allocatable = { cpu: "32", memory: "64Gi", pods: "110" }
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, uid: name, labels: { [hostKey]: name, [zoneKey]: zone } },
    spec: {},
    status: { allocatable },
  } as unknown as Node
}

function podOf(name: string, spec: object): Pod {
  const resources = { requests: { cpu: "10m", memory: "10Mi" } }
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace: "default", name, uid: name, labels },
    spec: { containers: [{ name: "c", image: "c", resources }], ...spec },
    status: {},
  } as unknown as Pod
}
