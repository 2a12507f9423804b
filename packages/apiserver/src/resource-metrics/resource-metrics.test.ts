import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { kinds, node, pod, type Pod } from "@knarr/api"
import { createPrivateKeyPem, Scope, type VirtualClock } from "@knarr/base"
import { createMemoryStore } from "@knarr/store"
import { virtualEnv } from "@knarr/testkit"
import { hostedResponse, type HostedVersion } from "../aggregator/hosted.ts"
import { createControlPlane } from "../control-plane.ts"
import { parseRequestInfo } from "../server/request-info.ts"
import { readExposition } from "./exposition.ts"
import { hostResourceMetrics } from "./resource-metrics.ts"
import { freshForMs, longestWindowMs, Samples } from "./samples.ts"
import { podUsage } from "./usage.ts"

interface Cluster {
  readonly clock: VirtualClock
  /** Names of the nodes that were looked at, in order. */
  readonly looks: string[]
  /** What a node says; an Error: it does not answer. */
  readonly says: Map<string, () => string>
  get(path: string, accept?: string): Promise<any>
}

const table = "application/json;as=Table;v=v1;g=meta.k8s.io"

/** Two nodes; `default/a` and `default/b` run on n1, `other/c` on n2. Each uses 0.25 CPU of its node and 3 MiB. */
async function withCluster(run: (cluster: Cluster) => Promise<void>): Promise<void> {
  const env = virtualEnv()
  const { clock } = env
  await using scope = new Scope("test", { env })
  const store = scope.use(createMemoryStore({ env }))
  const startedMs = clock.now()
  const containers: Record<string, string[]> = { n1: ["default/a", "default/b"], n2: ["other/c"] }
  const text = (name: string): string => {
    const seconds = (clock.now() - startedMs) / 1000 + 100
    return [
      `# TYPE node_cpu_usage_seconds_total counter`,
      `node_cpu_usage_seconds_total ${seconds} ${clock.now()}`,
      `node_memory_working_set_bytes 1.048576e+09 ${clock.now()}`,
      ...containers[name]!.flatMap((key) => {
        const [namespace, of] = key.split("/")
        const labels = `{container="app",namespace="${namespace}",pod="${of}"}`
        return [
          `container_cpu_usage_seconds_total${labels} ${seconds / 4} ${clock.now()}`,
          `container_memory_working_set_bytes${labels} 3145728 ${clock.now()}`,
          `container_start_time_seconds${labels} 1.6e+09`,
        ]
      }),
    ].join("\n")
  }
  const looks: string[] = []
  const says = new Map(["n1", "n2"].map((name) => [name, () => text(name)]))
  const scrape = async (name: string): Promise<string> => {
    looks.push(name)
    return says.get(name)!()
  }
  const samples = new Samples({ env, scope, scrape })
  let hosted: HostedVersion | undefined
  const plane = await createControlPlane({
    env,
    store,
    kinds,
    scope,
    serviceAccounts: { signingKey: createPrivateKeyPem(), issuers: ["https://kubernetes.default.svc"] },
    admission: { plugins: () => [] },
    hosted: (registry) => [(hosted = hostResourceMetrics({ env, registry, samples }))],
  })
  const client = plane.client()
  for (const name of ["n1", "n2"])
    await client.create(node, { metadata: { name, labels: { zone: name } } } as never)
  for (const [name, keys] of Object.entries(containers))
    for (const key of keys) {
      const [namespace, of = ""] = key.split("/")
      const created = await client.create(pod, {
        metadata: { namespace, name: of, labels: { app: of } },
        spec: { nodeName: name, containers: [{ name: "app", image: "img" }] },
      } as never)
      const status = { ...created.status, phase: "Running" }
      await client.update(pod, { ...created, status } as Pod, { subresource: "status" })
    }
  await run({
    clock,
    looks,
    says,
    async get(target, accept = "application/json") {
      const [path = "", search = ""] = `/apis/metrics.k8s.io/v1beta1${target}`.split("?")
      const query = new URLSearchParams(search)
      const info = parseRequestInfo("GET", path, query)
      const { signal } = scope
      const asked = hostedResponse(hosted!, info, { method: "GET", query, accept, signal })
      let done = false
      const ended = asked.catch(() => {}).finally(() => (done = true))
      for (let i = 0; i < 20 && !done; i++) await clock.advance(500)
      await ended
      return JSON.parse((await (await asked).buffer()).toString())
    },
  })
}

describe("metrics.k8s.io", () => {
  it("tells of nodes and pods what they use, after two looks when nobody asked before", () =>
    withCluster(async ({ get, looks, clock }) => {
      const nodes = await get("/nodes")
      assert.equal(nodes.kind, "NodeMetricsList")
      assert.equal(nodes.apiVersion, "metrics.k8s.io/v1beta1")
      assert.deepEqual(
        nodes.items.map((item: any) => [item.metadata.name, item.metadata.labels, item.window, item.usage]),
        ["n1", "n2"].map((name) => [name, { zone: name }, "1.5s", { cpu: "1", memory: "1000Mi" }]),
      )
      assert.deepEqual(looks, ["n1", "n2", "n1", "n2"])
      const pods = await get("/pods")
      assert.equal(looks.length, 4, "fresh looks are used again")
      assert.deepEqual(
        pods.items.map((item: any) => [item.metadata.name, item.containers]),
        ["a", "b", "c"].map((name) => [name, [{ name: "app", usage: { cpu: "250m", memory: "3Mi" } }]]),
      )
      await clock.advance(freshForMs + 5000)
      const [later] = (await get("/nodes")).items
      assert.equal(later.window, "15.5s")
      assert.equal(looks.length, 6, "one look more at each node")
    }))

  it("looks only at nodes that are asked about, and at none when nobody asks", () =>
    withCluster(async ({ get, looks, clock }) => {
      const one = await get("/namespaces/default/pods/a")
      assert.equal(one.kind, "PodMetrics")
      assert.deepEqual(looks, ["n1", "n1"])
      const chosen = await get("/namespaces/default/pods?labelSelector=app%3Db")
      assert.deepEqual(
        chosen.items.map(({ metadata }: any) => metadata.name),
        ["b"],
      )
      await clock.advance(longestWindowMs * 10)
      assert.deepEqual(looks, ["n1", "n1"])
    }))

  it("is printed as a table", () =>
    withCluster(async ({ get }) => {
      const { columnDefinitions, rows } = await get("/namespaces/other/pods", table)
      assert.deepEqual(
        columnDefinitions.map(({ name }: any) => name),
        ["Name", "cpu", "memory", "Window"],
      )
      assert.deepEqual(rows[0].cells, ["c", "250m", "3Mi", "1.5s"])
      assert.deepEqual(await get("/namespaces/empty/pods", table), {
        kind: "Table",
        apiVersion: "meta.k8s.io/v1",
        metadata: {},
        columnDefinitions: null,
        rows: [],
      })
    }))

  it("answers without a node that does not answer, and says what is not there", () =>
    withCluster(async ({ get, says, looks, clock }) => {
      says.set("n2", () => {
        throw new Error("connection refused")
      })
      const names = async (): Promise<string[]> =>
        (await get("/nodes")).items.map(({ metadata }: any) => metadata.name)
      assert.deepEqual(await names(), ["n1"])
      const before = looks.filter((name) => name === "n2").length
      assert.deepEqual(await names(), ["n1"])
      assert.equal(looks.filter((name) => name === "n2").length, before, "not asked again so soon")
      await clock.advance(30_000)
      await names()
      assert.ok(looks.filter((name) => name === "n2").length > before)
      for (const [path, message] of [
        ["/nodes/n2", 'nodes.metrics.k8s.io "n2" not found'],
        ["/nodes/n9", 'nodes "n9" not found'],
        ["/namespaces/default/pods/x", 'pods "x" not found'],
        ["/namespaces/other/pods/c", 'pods.metrics.k8s.io "other/c" not found'],
        ["/pods?labelSelector=%25", /unable to parse requirement/],
      ] as const)
        await assert.rejects(get(path), { message })
    }))
})

describe("use between two looks", () => {
  const look = (atMs: number, seconds: number, startedMs: number) =>
    readExposition(
      [
        `container_cpu_usage_seconds_total{container="app",namespace="d",pod="p"} ${seconds} ${atMs}`,
        `container_memory_working_set_bytes{container="app",namespace="d",pod="p"} 1024 ${atMs}`,
        `container_start_time_seconds{container="app",namespace="d",pod="p"} ${startedMs / 1000}`,
      ].join("\n"),
      atMs,
    )
  const at = 1_000_000
  for (const [what, last, previous, cpu] of [
    ["the same container", look(at, 30, 1000), look(at - 15_000, 15, 1000), "1"],
    [
      "started again meanwhile, long ago enough",
      look(at, 6, at - 12_000),
      look(at - 15_000, 15, 1000),
      "500m",
    ],
    ["started again just now", look(at, 6, at - 2000), look(at - 15_000, 15, 1000), undefined],
    ["seen for the first time, long after its start", look(at, 6, at - 120_000), undefined, undefined],
    ["a counter that went back", look(at, 6, 1000), look(at - 15_000, 15, 1000), undefined],
    ["no time between them", look(at, 30, 1000), look(at, 15, 1000), undefined],
  ] as const)
    it(what, () => {
      const usage = podUsage("d/p", last, previous, longestWindowMs)
      assert.equal(usage?.containers[0]?.usage.cpu.toString(), cpu)
    })

  it("of a pod with a container that uses nothing yet is not told", () => {
    const text = 'container_start_time_seconds{container="new",namespace="d",pod="p"} 1\n'
    assert.equal(readExposition(text, at).pods.size, 0)
  })
})
