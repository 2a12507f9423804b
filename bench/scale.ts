/**
 * `bench scale`: a cluster of simulated nodes: how long it takes to be there, to run pods, to roll a deployment, what it costs, and how
 * long the API takes meanwhile. There is no reference in it.
 */
import { setTimeout } from "node:timers/promises"
import { configMap, deployment } from "@knarr/api"
import type { Client } from "@knarr/client"
import { Cluster } from "./cluster.ts"
import { cpuMs, memoryOf } from "./process-stats.ts"
import { bound, figure, isMet, percentile, renderTable, verdict } from "./report.ts"
import type { Workspace } from "./workspace.ts"

export interface ScaleOptions {
  readonly quick: boolean
  readonly print: (text: string) => void
}

interface Figure {
  readonly name: string
  readonly value: number | undefined
  readonly unit: string
  readonly goal: { readonly atMost: number }
}

const namespace = "default"
const podsEach = 100
const readyLimitMs = 600_000
const idleMs = 30_000
const probeMs = 50

export async function benchScale(workspace: Workspace, options: ScaleOptions): Promise<readonly Figure[]> {
  const { quick, print } = options
  const [nodes, deployments, rolled] = quick ? [100, 10, 50] : [1000, 100, 500]
  const cluster = new Cluster(workspace)
  await cluster.prepare()
  const upMs = await timed(() => cluster.up("--no-agent", "--simulated-nodes", String(nodes)))
  const pids = cluster.pids()
  const client = await cluster.client()
  await client.create(configMap, { metadata: { namespace, name: "probe" } })
  const memory = memoryOf(pids).rss
  const probe = startProbe(client)

  const begunMs = cpuMs(pids)
  const readyMs = await timed(async () => {
    for (let i = 0; i < deployments; i++) await create(client, `many-${i}`, podsEach)
    await untilReady(client, deployments, () => true)
  })
  const podsCpuMs = cpuMs(pids) - begunMs
  await create(client, "rolled", rolled)
  await untilReady(client, deployments + 1, () => true)
  const rollMs = await timed(async () => {
    const spec = { template: { spec: { containers: [{ name: "c", image: "c:2" }] } } }
    const { metadata } = await client.patch(deployment, { namespace, name: "rolled" }, "strategic", { spec })
    const generation = metadata.generation ?? 0
    await untilReady(
      client,
      deployments + 1,
      ({ metadata: { name }, spec: { replicas }, status }) =>
        name !== "rolled" ||
        ((status.observedGeneration ?? 0) >= generation &&
          status.updatedReplicas === replicas &&
          status.replicas === replicas),
    )
  })
  const latencies = (await probe()).sort((a, b) => a - b)
  await setTimeout(idleMs / 3)
  const restedMs = cpuMs(pids)
  await setTimeout(idleMs)
  const idle = (cpuMs(pids) - restedMs) / idleMs

  const count = deployments * podsEach
  const figures: Figure[] = [
    { name: `${nodes} nodes are ready`, value: upMs / 1000, unit: "s", goal: { atMost: 8 } },
    { name: "memory with them", value: memory / 2 ** 20, unit: "MiB", goal: { atMost: 1024 } },
    {
      name: `${count} pods of ${deployments} deployments`,
      value: readyMs / 1000,
      unit: "s",
      goal: { atMost: 25 },
    },
    { name: "  CPU of it, a pod", value: podsCpuMs / count, unit: "ms", goal: { atMost: 5 } },
    { name: `a deployment of ${rolled} is rolled`, value: rollMs / 1000, unit: "s", goal: { atMost: 8 } },
    {
      name: "API latency meanwhile, p99",
      value: percentile(latencies, 0.99),
      unit: "ms",
      goal: { atMost: 1000 },
    },
    { name: "idle afterwards", value: idle * 100, unit: "% of a core", goal: { atMost: 8 } },
    { name: "memory afterwards", value: memoryOf(pids).rss / 2 ** 20, unit: "MiB", goal: { atMost: 2048 } },
  ]
  print(
    renderTable(
      ["", "measured", "goal", ""],
      figures.map(({ name, value, unit, goal }) => [
        name,
        `${figure(value)} ${unit}`,
        bound(goal),
        // Goals are of the full size.
        quick ? "" : verdict(isMet(goal, value)),
      ]),
    ),
  )
  return figures
}

async function create(client: Client, name: string, replicas: number): Promise<void> {
  const labels = { app: name }
  await client.create(deployment, {
    metadata: { namespace, name },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: "c", image: "c:1" }] } },
    },
  })
}

type Deployments = Awaited<ReturnType<typeof list>>

function list(client: Client, signal: AbortSignal) {
  return client.list(deployment, { namespace, signal })
}

/** Resolves when there are so many deployments, all of whose replicas are ready, and `also` holds of each. */
async function untilReady(
  client: Client,
  count: number,
  also: (one: Deployments["items"][number]) => boolean,
): Promise<void> {
  const signal = AbortSignal.timeout(readyLimitMs)
  for (;;) {
    const { items } = await list(client, signal)
    const ready = items.filter((one) => one.status.readyReplicas === one.spec.replicas && also(one))
    if (ready.length === count) return
    await setTimeout(100, undefined, { signal })
  }
}

/** Asks for one small object again and again; ends with how long each answer took, in milliseconds. */
function startProbe(client: Client): () => Promise<number[]> {
  const latencies: number[] = []
  let isOver = false
  const asking = (async () => {
    while (!isOver) {
      latencies.push(
        await timed(async () => void (await client.get(configMap, { namespace, name: "probe" }))),
      )
      await setTimeout(probeMs)
    }
  })()
  return async () => {
    isOver = true
    await asking
    return latencies
  }
}

async function timed(work: () => Promise<void>): Promise<number> {
  const begun = performance.now()
  await work()
  return performance.now() - begun
}
