/**
 * `bench start`: cold starts of both API servers, in turns; then a Knarr cluster with a node: how long it, an
 * application and its replicas take, and what it costs when idle. The reference's node needs a kubelet and a
 * network set up by hand; its figures are constants, measured once.
 */
import { readFileSync } from "node:fs"
import { get } from "node:http"
import { join } from "node:path"
import { parseAllDocuments } from "yaml"
import { deployment, namespace, pod, service, type Namespace } from "@knarr/api"
import type { KubeObject } from "@knarr/apimachinery"
import type { Client } from "@knarr/client"
import { Cluster, isReady, kindOf, readyNodes, untilPods } from "./cluster.ts"
import { startKnarr } from "./knarr-server.ts"
import { cpuMs, memoryOf } from "./process-stats.ts"
import { startReference } from "./reference-server.ts"
import { bound, figure, isMet, ratio, renderTable, verdict } from "./report.ts"
import { root, sleep, type Workspace } from "./workspace.ts"

export interface StartOptions {
  readonly quick: boolean
  readonly print: (text: string) => void
}

export interface StartRow {
  readonly name: string
  readonly knarr: number
  readonly reference?: number | undefined
  /** True when the reference's figure was not measured in this run. */
  readonly constant: boolean
  /** In the row's own unit. */
  readonly goal?: { readonly atMost: number } | undefined
}

/**
 * etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kubelet and kube-proxy of 1.37, started by hand
 * on a machine with 2 cores and containerd 1.6: seconds, percent of a core, and megabytes without containerd.
 */
const reference = {
  app: 9.1,
  replicas: { 1: 0.61, 10: 1.3, 30: 3.8 },
  toZero: 3.7,
  idleCpu: 3.5,
  idleMemory: 630,
}

export async function benchStart(workspace: Workspace, options: StartOptions): Promise<readonly StartRow[]> {
  const rows: StartRow[] = []
  const add = (row: StartRow): void => {
    rows.push(row)
    options.print(`  ${row.name}: ${figure(row.knarr)}\n`)
  }
  add(await coldStarts(workspace, options.quick ? 1 : 3))
  const cluster = new Cluster(workspace)
  await cluster.prepare()
  add({ name: "knarr up --no-agent, s", ...(await measured(() => cluster.up("--no-agent"))) })
  await cluster.delete()
  if (process.getuid?.() === 0) await withNode(cluster, options.quick, add)
  else options.print("A node needs root: everything that needs pods is left out\n")
  printRows(rows, options.print)
  return rows
}

async function coldStarts(workspace: Workspace, rounds: number): Promise<StartRow> {
  const times: Record<"knarr" | "reference", number[]> = { knarr: [], reference: [] }
  // The first start of all fills caches of the file system and of compiled code: no round of its own.
  await (await startKnarr(workspace, "knarr-first")).stop()
  for (let round = 0; round < rounds; round++) {
    for (const start of [startReference, startKnarr]) {
      const server = await start(workspace, `${start.name}-${round}`)
      times[server.side].push(server.readyMs / 1000)
      await server.stop()
    }
  }
  return {
    name: `API server ready, s (median of ${rounds})`,
    knarr: median(times.knarr),
    reference: median(times.reference),
    constant: false,
    goal: { atMost: 0.5 },
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!
}

async function measured(fn: () => Promise<unknown>): Promise<{ knarr: number; constant: false }> {
  const begun = performance.now()
  await fn()
  return { knarr: (performance.now() - begun) / 1000, constant: false }
}

async function withNode(cluster: Cluster, quick: boolean, add: (row: StartRow) => void): Promise<void> {
  const begun = performance.now()
  const since = (): number => (performance.now() - begun) / 1000
  await cluster.up()
  add({ name: "knarr up, s", knarr: since(), constant: false })
  const client = await cluster.client()
  const [address] = await readyNodes(client)
  add({ name: "… node Ready, s after the start", knarr: since(), constant: false })
  await cluster.loadHelloImage()
  await applyHello(client)
  await answers(client, address!)
  add({
    name: "… the first application answers, s after the start",
    knarr: since(),
    reference: reference.app,
    constant: true,
  })
  await client.delete(deployment, { namespace: "default", name: "hello" })
  await untilPods(client, "default", (pods) => pods.length === 0)

  for (const count of quick ? ([1, 10] as const) : ([1, 10, 30] as const)) {
    add({
      name: `${count} replica${count > 1 ? "s" : ""} Ready, s after create`,
      ...(await measured(() => scaleUp(client, count))),
      reference: reference.replicas[count],
      constant: true,
    })
    const { knarr } = await measured(() => scaleToZero(client, count))
    if (count === 30)
      add({ name: "30 replicas to none, s", knarr, reference: reference.toZero, constant: true })
  }
  await sleep(quick ? 2000 : 4000)
  const idleMs = quick ? 5000 : 20_000
  const pids = cluster.pids()
  const before = cpuMs(pids)
  await sleep(idleMs)
  const used = cpuMs(pids) - before
  add({
    name: `idle, % of a core over ${idleMs / 1000} s`,
    knarr: (100 * used) / idleMs,
    reference: reference.idleCpu,
    constant: true,
    goal: { atMost: 2 },
  })
  add({
    name: "idle, MB without containerd",
    knarr: memoryOf(pids).rss / 1e6,
    reference: reference.idleMemory,
    constant: true,
    goal: { atMost: 250 },
  })
  await cluster.down()
  add({ name: "second knarr up, s", ...(await measured(() => cluster.up())) })
}

async function applyHello(client: Client): Promise<void> {
  const text = readFileSync(join(root, "examples/hello/hello.yaml"), "utf8")
  for (const document of parseAllDocuments(text)) {
    const object = document.toJS() as KubeObject
    object.metadata.namespace ??= "default"
    await client.create(kindOf(object), object as never)
  }
}

/** Waits for a 200 from the example's NodePort. */
async function answers(client: Client, address: string): Promise<void> {
  const { spec } = await client.get(service, { namespace: "default", name: "hello" })
  const port = spec?.ports?.[0]?.nodePort
  const end = performance.now() + 30_000
  while (performance.now() < end) {
    if ((await status(`http://${address}:${port}/`)) === 200) return
    await sleep(10)
  }
  const pods = await client.list(pod, { namespace: "default" })
  throw new Error(`The example did not answer after 30 s; pods ready: ${pods.items.filter(isReady).length}`)
}

function status(url: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: 1000 }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    request.once("error", () => resolve(undefined)).once("timeout", () => request.destroy())
  })
}

/** In a namespace per count, so that the pods of one never meet those of another. */
async function scaleUp(client: Client, replicas: number): Promise<void> {
  const name = `bench-${replicas}`
  await client.create<Namespace>(namespace, { metadata: { name }, spec: {} })
  await client.create(deployment, {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "hello", namespace: name },
    spec: {
      replicas,
      selector: { matchLabels: { app: "hello" } },
      template: {
        metadata: { labels: { app: "hello" } },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [{ name: "hello", image: "hello:1" }],
        },
      },
    },
  })
  await untilPods(client, name, (pods) => pods.length === replicas && pods.every(isReady), 60_000)
}

async function scaleToZero(client: Client, replicas: number): Promise<void> {
  const at = { namespace: `bench-${replicas}`, name: "hello" }
  await client.patch(deployment, at, "merge", { spec: { replicas: 0 } })
  await untilPods(client, at.namespace, (pods) => pods.length === 0, 60_000)
}

function printRows(rows: readonly StartRow[], print: (text: string) => void): void {
  print("\n")
  print(
    renderTable(
      ["", "Knarr", "reference", "ratio", "goal", ""],
      rows.map(({ name, knarr, reference: other, constant, goal }) => [
        name,
        figure(knarr),
        `${figure(other)}${constant ? "*" : " "}`,
        ratio(other === undefined ? undefined : knarr / other),
        goal ? bound(goal) : "",
        goal ? verdict(isMet(goal, knarr)) : "",
      ]),
    ),
  )
  if (rows.some(({ constant }) => constant))
    print("\n* measured earlier, on a machine with 2 cores; not in this run\n")
}
