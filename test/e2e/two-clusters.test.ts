/** Two clusters on one machine: each has what is its own, and neither reaches the other. */
import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { test, type TestContext } from "node:test"
import { endpointSlice, node, pod, service, type Pod } from "@knarr/api"
import { buildHelloImage } from "../../examples/hello/image.ts"
import { KnarrHome, eventually } from "./knarr-command.ts"
import { remainsOf } from "./machine-state.ts"

const namespace = "default"

interface Settings {
  readonly index: number
  readonly podCIDR: string
  readonly serviceCIDR: string
  readonly nodeCIDR: string
  readonly port: number
  readonly registryPort: number
}

function settingsOf(home: KnarrHome): Settings {
  return JSON.parse(readFileSync(join(home.dir, home.name, "cluster.json"), "utf8")) as Settings
}

const hello = (name: string): Pod =>
  ({
    metadata: { namespace, name, labels: { app: name } },
    spec: { nodeName: "node-0", containers: [{ name: "main", image: "hello:1" }] },
  }) as unknown as Pod

test("two clusters on one machine", { timeout: 240_000 }, async (t: TestContext) => {
  await using a = new KnarrHome("first")
  await using b = new KnarrHome("second")
  const ranges = [
    "--cluster-cidr",
    "10.20.0.0/16",
    "--service-cidr",
    "10.21.0.0/20",
    "--node-cidr",
    "10.22.0.0/28",
  ]

  await t.test("ranges that cannot be had are refused, and nothing is left of the attempt", async () => {
    const cases: [flags: string[], message: RegExp][] = [
      [["--cluster-cidr", "10.20.0.0/30"], /"--cluster-cidr": is too small/],
      [["--service-cidr", "10.21.0.1/24"], /did you mean 10\.21\.0\.0\/24\?/],
      [["--cluster-cidr", "10.21.0.0/16", ...ranges.slice(2)], /overlap/],
      [["--node-cidr", "127.0.0.0/8"], /which no network may have/],
    ]
    const attempts = cases.map(async ([flags, message], i) => {
      const { code, stderr } = await b.try("up", "--name", `refused-${i}`, ...flags)
      assert.equal(code, 1, flags.join(" "))
      assert.match(stderr, message)
    })
    await Promise.all(attempts)
    assert.match((await b.try("status")).stdout, /^No clusters in /)
  })

  await t.test("both start at once, with numbers, ports and ranges of their own", async () => {
    await Promise.all([a.up(), b.up(...ranges)])
    const [one, two] = [settingsOf(a), settingsOf(b)]
    assert.notEqual(one.index, two.index)
    assert.equal(new Set([one.port, one.registryPort, two.port, two.registryPort]).size, 4)
    assert.deepEqual(
      [two.podCIDR, two.serviceCIDR, two.nodeCIDR],
      ["10.20.0.0/16", "10.21.0.0/20", "10.22.0.0/28"],
    )
  })

  const { client, transport } = await a.connect()
  using _transport = transport
  const there = await b.connect()
  using _there = there.transport

  await t.test("a pod reaches its own cluster, and nothing of the other by any way", async () => {
    const image = await buildHelloImage("1")
    await Promise.all([a.loadImage(image), b.loadImage(image)])
    await Promise.all([client.create(pod, hello("asks")), there.client.create(pod, hello("answers"))])
    const spec = { type: "NodePort", selector: { app: "answers" }, ports: [{ port: 80, targetPort: 8080 }] }
    const made = await there.client.create(service, { metadata: { namespace, name: "answers" }, spec })
    const ready = async (one: typeof client, name: string): Promise<Pod> =>
      eventually(`pod ${name} to be ready`, async () => {
        const found = await one.get(pod, { namespace, name })
        return found.status.conditions?.some(({ type, status }) => type === "Ready" && status === "True")
          ? found
          : undefined
      })
    await ready(client, "asks")
    const other = await ready(there.client, "answers")
    const [mine, theirs] = [settingsOf(a), settingsOf(b)]
    const nodePort = made.spec.ports![0]!.nodePort!
    const myHost = mine.nodeCIDR.replace(/\.0\/\d+$/, ".1")
    const doors: [what: string, address: string, port: number][] = [
      ["API server", "10.22.0.1", theirs.port],
      ["registry", "10.22.0.1", theirs.registryPort],
      ["kubelet", "10.22.0.1", 10_250],
      ["DNS", "10.21.0.10", 53],
      ["kubernetes service", "10.21.0.1", 443],
      ["pod", other.status.podIP!, 8080],
      ["service", made.spec.clusterIP!, 80],
      ["node port", "10.22.0.1", nodePort],
      ["node port at its own node", myHost, nodePort],
    ]
    // Services of its own that lead to the other's doors.
    const leads = doors.map(([, address, port], i) => ({ name: `lead-${i}`, address, port }))
    for (const { name, address, port } of leads) {
      await client.create(service, { metadata: { namespace, name }, spec: { ports: [{ port: 80 }] } })
      await client.create(endpointSlice, {
        metadata: { namespace, name, labels: { "kubernetes.io/service-name": name } },
        addressType: "IPv4",
        ports: [{ port }],
        endpoints: [{ addresses: [address] }],
      })
    }
    /** Which of the targets the pod reaches, all asked at once. */
    const reached = async (targets: readonly { address: string; port: number }[]): Promise<number[]> => {
      const asks = targets.map(
        ({ address, port }, i) =>
          `(timeout 2 nc -w 1 ${address} ${port} </dev/null >/dev/null && echo ${i}) &`,
      )
      const out = await a.kubectl(["exec", "asks", "--", "sh", "-c", `${asks.join("\n")}\nwait`])
      return out.split("\n").filter(Boolean).map(Number)
    }
    const api = { address: myHost, port: mine.port }
    await eventually("its own API server", async () => (await reached([api]))[0])
    const services = await Promise.all(leads.map(({ name }) => client.get(service, { namespace, name })))
    const targets = [
      ...doors.map(([, address, port]) => ({ address, port })),
      ...services.map(({ spec }) => ({ address: spec.clusterIP!, port: 80 })),
      api,
    ]
    const open = await reached(targets)
    const whats = [...doors, ...doors.map(([what]) => [`a service that leads to: ${what}`])].map(
      ([what]) => what,
    )
    assert.deepEqual(
      open.filter((i) => i < targets.length - 1).map((i) => whats[i]),
      [],
    )
    assert.deepEqual(open, [targets.length - 1])
    // Nor does its API server, which is a process of the machine, lead anybody there.
    const answers = await Promise.all(
      leads
        .filter(({ address }) => address !== myHost)
        .map(async ({ name }) => {
          const path = `/api/v1/namespaces/${namespace}/services/${name}/proxy/`
          const response = await transport.request({
            method: "GET",
            path,
            signal: AbortSignal.timeout(30_000),
          })
          return { status: response.status, text: (await response.buffer()).toString("utf8") }
        }),
    )
    // Its proxy leads to pods alone.
    for (const { status, text } of answers) {
      assert.equal(status, 503)
      assert.match(text, /no endpoints available for service/)
    }
    assert.equal(
      await there.client.get(node, { name: "node-0" }).then(({ metadata }) => metadata.name),
      "node-0",
    )
  })

  await t.test("down leaves nothing of one in the kernel, and all of the other", async () => {
    const one = settingsOf(a)
    await a.knarr("down", "--name", "first")
    const left = remainsOf({ dir: a.dir, name: "first", index: one.index })
    assert.deepEqual(
      left.map((line) => line.split(" ")[0]),
      ["folder", "run"],
      left.join("\n"),
    )
    const routes = spawnSync("ip", ["route", "show", "table", "all"], { encoding: "utf8" }).stdout
    assert.ok(!routes.includes(one.serviceCIDR) && !routes.includes(one.nodeCIDR), routes)
    assert.ok(routes.includes("10.21.0.0/20") && routes.includes("10.22.0.0/28"), routes)
    assert.match(await b.kubectl(["get", "nodes"]), /node-0 +Ready/)
    await a.up()
    assert.deepEqual(settingsOf(a), one)
    const { index } = settingsOf(b)
    await b.knarr("delete", "--name", "second")
    assert.deepEqual(remainsOf({ dir: b.dir, name: "second", index }), [])
    assert.match(await a.kubectl(["get", "nodes"]), /node-0 +Ready/)
  })
})
