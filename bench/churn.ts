/**
 * `bench churn`: what a server holds on to. Namespaces full of workloads and events come and go on simulated nodes for
 * some minutes, with watchers; then everything rests, and the figures say what has come back.
 */
import { createInterface } from "node:readline"
import { join } from "node:path"
import { configMap, deployment, event, namespace, pod, secret } from "@knarr/api"
import type { Kind, KubeObject } from "@knarr/apimachinery"
import {
  createRestClient,
  createTransport,
  resolveContext,
  type Client,
  type Kubeconfig,
} from "@knarr/client"
import { allocatorSettings, serverNodeFlags } from "knarr"
import { figure, renderTable } from "./report.ts"
import { root, sleep, type Workspace } from "./workspace.ts"

/** In bytes, but for `objects` and `files`. All but `residentBefore` after a full collection. */
export interface ChurnFigures {
  readonly residentBefore: number
  readonly rss: number
  readonly heapUsed: number
  readonly heapTotal: number
  readonly external: number
  readonly arrayBuffers: number
  readonly storeFile: number
  readonly objects: number
  readonly cacheBytes: number
  readonly historyBytes: number
  readonly files: number
}

export interface ChurnOptions {
  readonly minutes: number
  /** Writes a heap snapshot here at the end. */
  readonly snapshot?: string | undefined
  readonly print: (text: string) => void
}

/** Requests of one namespace that are on their way at the same time. */
const inFlight = 8
const nodes = 10
const workers = 4
const watchers = 8

export async function benchChurn(
  workspace: Workspace,
  options: ChurnOptions,
): Promise<readonly ChurnFigures[]> {
  const { minutes, print } = options
  // As in the product, the history is compacted some times in the run and twice in the rest.
  const compactionMs = Math.max(Math.round((minutes * 60_000) / 6), 10_000)
  const server = workspace.spawn(
    "churn-server",
    [
      process.execPath,
      "--disable-warning=ExperimentalWarning",
      ...serverNodeFlags,
      join(root, "bench/churn-server.ts"),
      workspace.folder("store"),
      String(nodes),
      String(compactionMs),
    ],
    { pipes: true, env: allocatorSettings },
  )
  const answers = createInterface({ input: server.child.stdout! })[Symbol.asyncIterator]()
  const next = async (): Promise<string> => {
    const { value, done } = await answers.next()
    if (done) throw new Error(`${server.name} ended, see ${server.log}`)
    return value as string
  }
  const { transport } = resolveContext(JSON.parse(await next()) as Kubeconfig)
  const opened = createTransport(transport)
  workspace.defer(() => opened[Symbol.dispose]())
  const client = createRestClient({ transport: opened, fieldManager: "bench" })

  const rows: string[][] = []
  const all: ChurnFigures[] = []
  const look = async (name: string, command = "figures"): Promise<void> => {
    server.child.stdin!.write(`${command}\n`)
    const figures = JSON.parse(await next()) as ChurnFigures
    all.push(figures)
    const bytes = [
      figures.residentBefore,
      figures.rss,
      figures.heapUsed,
      figures.external,
      figures.arrayBuffers,
      figures.cacheBytes,
      figures.historyBytes,
      figures.storeFile,
    ]
    const row = [
      name,
      ...bytes.map((value) => figure(value / 1e6)),
      String(figures.objects),
      String(figures.files),
    ]
    rows.push(row)
    print(`  ${row.join("  ")}\n`)
  }
  await look("at first")
  const stop = new AbortController()
  const watching = Array.from({ length: watchers }, (_, i) =>
    watch(client, [pod, event, configMap, deployment][i % 4] as Kind, stop.signal),
  )
  const counts = { requests: 0, namespaces: 0 }
  const until = performance.now() + minutes * 60_000
  const working = Array.from({ length: workers }, async (_, worker) => {
    for (let round = 0; performance.now() < until; round++)
      await oneNamespace(client, `churn-${worker}-${round}`, counts)
  })
  for (let minute = 1; minute < minutes; minute++) {
    await sleep(60_000)
    await look(`${minute} min`)
  }
  await Promise.all(working)
  stop.abort()
  await Promise.allSettled(watching)
  print(`  ${counts.requests} requests, ${counts.namespaces} namespaces\n`)
  await look("after the load")
  for (let rest = 1; rest <= 3; rest++) {
    await sleep(compactionMs)
    await look(`rest, compaction ${rest}`)
  }
  if (options.snapshot) await look("snapshot", `snapshot ${options.snapshot}`)
  const names = [
    "MB",
    "RSS",
    "RSS, collected",
    "heap",
    "external",
    "buffers",
    "objects",
    "history",
    "store file",
  ]
  print(renderTable([...names, "objects, n", "files, n"], rows))
  server.child.stdin!.end()
  return all
}

async function watch(client: Client, kind: Kind, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      for await (const _event of client.watch(kind, { signal })) if (signal.aborted) return
    } catch (thrown) {
      if (!signal.aborted) throw thrown
    }
  }
}

/** A namespace's life: workloads that are scaled and changed, configuration, events, and its end. */
async function oneNamespace(
  client: Client,
  name: string,
  counts: { requests: number; namespaces: number },
): Promise<void> {
  const did = async (calls: readonly (() => Promise<unknown>)[]): Promise<void> => {
    for (let at = 0; at < calls.length; at += inFlight) {
      await Promise.all(calls.slice(at, at + inFlight).map((call) => call()))
    }
    counts.requests += calls.length
  }
  const times = <T>(count: number, make: (i: number) => T): T[] =>
    Array.from({ length: count }, (_, i) => make(i))
  await did([() => client.create(namespace, { metadata: { name } } as never)])
  const labels = { app: "web" }
  const metadata = { namespace: name, labels }
  const template = {
    metadata: { labels },
    spec: { containers: [{ name: "web", image: "registry.example.com/shop/web:1" }] },
  }
  const create = (kind: unknown, object: unknown): Promise<KubeObject> =>
    client.create(kind as Kind, object as never) as Promise<KubeObject>
  await did(
    times(
      2,
      (i) => () =>
        create(deployment, {
          metadata: { ...metadata, name: `web-${i}` },
          spec: { replicas: 5, selector: { matchLabels: labels }, template },
        }),
    ),
  )
  await did(
    times(
      20,
      (i) => () =>
        create(configMap, {
          metadata: { ...metadata, name: `config-${i}` },
          data: { text: "x".repeat(2000 + i) },
        }),
    ),
  )
  await did(
    times(
      5,
      (i) => () =>
        create(secret, { metadata: { ...metadata, name: `secret-${i}` }, stringData: { key: name } }),
    ),
  )
  for (let turn = 0; turn < 4; turn++) {
    await did(
      times(
        40,
        (i) => () =>
          create(event, {
            metadata: { namespace: name, name: `event-${turn}-${i}` },
            involvedObject: { kind: "Pod", namespace: name, name: `web-${i}`, uid: `${name}-${i}` },
            reason: "Churned",
            message: `Event ${i} of turn ${turn} of ${name} says how long a message of this kind mostly is`,
            type: "Normal",
            count: 1,
          }),
      ),
    )
    await did(
      times(
        20,
        (i) => () =>
          client.patch(configMap, { namespace: name, name: `config-${i}` }, "merge", {
            data: { text: `${turn}`.repeat(2000) },
          }),
      ),
    )
    await did(
      times(
        2,
        (i) => () =>
          client.patch(deployment, { namespace: name, name: `web-${i}` }, "merge", {
            spec: { replicas: 2 + ((turn * 3) % 7) },
          }),
      ),
    )
    await did([() => client.list(pod, { namespace: name })])
  }
  await did([() => client.delete(namespace, { name })])
  counts.namespaces++
}
