/** The proxy on a real kernel, in a network namespace of the test's own: the file runs itself again there. */
import assert from "node:assert/strict"
import { spawn, spawnSync } from "node:child_process"
import { createSocket, type Socket } from "node:dgram"
import { get } from "node:http"
import { createConnection, createServer } from "node:net"
import { test } from "node:test"
import { Scope, systemClock } from "@knarr/base"
import { startTestPlane, systemEnv } from "@knarr/testkit"
import {
  ipv4,
  ipv4Address,
  ipv4Network,
  linkName,
  nameText,
  readPort,
  type PortNumber,
} from "@knarr/apimachinery"
import {
  endpointSlice,
  node,
  pod,
  service,
  serviceAccount,
  type EndpointSlice,
  type Service,
} from "@knarr/api"
import { createInformerFactory, type Client, type EventSubject } from "@knarr/client"
import { parseFlow } from "./conntrack.ts"
import { KernelTable, type Programmed } from "./kernel-table.ts"
import type { ServicePort } from "./service-map.ts"
import { startServiceProxy } from "./service-proxy.ts"

const env = systemEnv()
const inside = process.env["KNARR_TEST_NETNS"] === "1"
const able =
  process.getuid?.() === 0 &&
  ["nft", "unshare", "conntrack"].every((name) => spawnSync(name, ["--version"]).status === 0)

test("A line of conntrack is a flow, and what is none is none", () => {
  const line =
    "udp      17 29 src=10.244.0.5 dst=10.96.0.20 sport=4000 dport=53 [UNREPLIED] src=10.244.0.2 dst=10.244.0.5 sport=5353 dport=4000 mark=0 use=1"
  assert.deepEqual(parseFlow(line), {
    address: "10.96.0.20",
    port: 53,
    answers: "10.244.0.2",
    answersPort: 5353,
  })
  for (const text of ["", "udp", "icmp 1 29 src=1.2.3.4 dst=1.2.3.5 type=8", line.slice(0, 80)])
    assert.equal(parseFlow(text), undefined)
})

/** Namespaces that the test makes have their names in a folder of its own. */
const isolated = `mount -t tmpfs none /run && exec "$@"`

if (inside) testOnRealKernel()
else
  test(
    "The proxy on a real kernel",
    { skip: able ? false : "needs root, nft, unshare and conntrack", timeout: 120_000 },
    () => {
      // The reporter of the outer run must not speak for the inner one.
      const { NODE_TEST_CONTEXT: _, ...rest } = process.env
      const args = [
        "--net",
        "--mount",
        "bash",
        "-ec",
        isolated,
        "bash",
        process.execPath,
        "--test-reporter=tap",
        import.meta.filename,
      ]
      const result = spawnSync("unshare", args, { encoding: "utf8", env: { ...rest, KNARR_TEST_NETNS: "1" } })
      assert.equal(result.status, 0, `${result.stdout}\n${result.stderr}`)
      assert.match(result.stdout, /\n# pass [3-9]\n/)
    },
  )

function testOnRealKernel(): void {
  test("UDP flows leave endpoints that are gone or not ready", async () => {
    await using scope = new Scope("test")
    const { client } = await startBench(scope)
    for (const address of ["10.244.0.2", "10.244.0.3"]) await udpServer(scope, address)
    const endpoint = (address: string): EndpointSlice["endpoints"] => [
      { addresses: [address], nodeName: "a" },
    ]
    const ports = [{ name: "p", port: 53, protocol: "UDP" as const }]
    await makeService(client, "u", { clusterIP: "10.96.0.53", ports }, endpoint("10.244.0.2"))
    const { ask } = asking(scope, "10.96.0.53")
    await eventually("the first endpoint answers", async () => (await ask()) === "10.244.0.2")
    const change = (endpoints: EndpointSlice["endpoints"]): Promise<unknown> =>
      client.patch(endpointSlice, { namespace: "default", name: "u" }, "merge", { endpoints })
    await change(endpoint("10.244.0.3"))
    await eventually("the same socket is answered by the second", async () => (await ask()) === "10.244.0.3")
    await change([{ addresses: ["10.244.0.3"], nodeName: "a", conditions: { ready: false, serving: false } }])
    await eventually("nobody answers", async () => (await ask()) === "")
    await change(endpoint("10.244.0.2"))
    await eventually("the first answers again", async () => (await ask()) === "10.244.0.2")
  })

  test("A Service without ready endpoints refuses, and affinity's time can be changed", async () => {
    await using scope = new Scope("test")
    const { client } = await startBench(scope)
    const ports = [{ name: "p", port: 80, protocol: "TCP" as const }]
    const notReady = [{ addresses: ["10.244.0.2"], nodeName: "a", conditions: { ready: false } }]
    const server = createServer((socket) => socket.end())
    await new Promise<void>((resolve) => server.listen(8080, "10.244.0.2", resolve))
    scope.defer(() => void server.close())
    const affinity = (timeoutSeconds: number): Partial<Service["spec"]> => ({
      sessionAffinity: "ClientIP",
      sessionAffinityConfig: { clientIP: { timeoutSeconds } },
    })
    await makeService(client, "t", { clusterIP: "10.96.0.80", ports, ...affinity(100) }, notReady, 8080)
    await eventually("it refuses", async () => (await knock("10.96.0.80", 80)) === "ECONNREFUSED")
    const ref = { namespace: "default", name: "t" }
    await client.patch(endpointSlice, ref, "merge", {
      endpoints: [{ addresses: ["10.244.0.2"], nodeName: "a" }],
    })
    await eventually("it answers", async () => (await knock("10.96.0.80", 80)) === "connected")
    assert.match(table(), /timeout 1m40s/)
    await client.patch(service, ref, "merge", { spec: affinity(5) })
    await eventually("the set has the new time", () => /timeout 5s/.test(table()))
    assert.doesNotMatch(table(), /timeout 1m40s/)
  })

  test("What the kernel refuses is left out until it changes; the others are programmed", async () => {
    sh("ip link set lo up")
    const kernel = new KernelTable(tableOptions)
    const signal = AbortSignal.timeout(10_000)
    const state = (bad: Record<string, Partial<ServicePort>>): Programmed => ({
      servicePorts: Array.from({ length: 12 }, (_, i) => ({
        owner: { kind: "Service", namespace: "ns", name: `s${i}`, uid: "" },
        name: `ns/s${i}`,
        protocol: "tcp",
        clusterIP: ipv4Address(`10.96.1.${i}`),
        port: readPort(80)!,
        nodePort: undefined,
        externalIPs: [],
        balancerIPs: [],
        sourceRanges: undefined,
        affinitySeconds: 0,
        cluster: [{ address: ipv4Address("10.244.0.2"), port: readPort(80)! }],
        local: [],
        internalLocal: false,
        externalLocal: false,
        hasAny: true,
        serving: [],
        ...bad[`s${i}`],
      })),
      hostPorts: [],
      foreign: [],
    })
    // No parser makes such words: they stand for whatever a kernel takes amiss, and for what a rule's writer does.
    const tooLarge = { port: 70_000 as PortNumber }
    const notWhole = { affinitySeconds: 0.5 }
    const programmed = async (
      bad: Record<string, Partial<ServicePort>>,
      expected: string[],
    ): Promise<void> => {
      const refused = await kernel.program(state(bad), signal)
      assert.deepEqual([...new Set(refused.map(({ owner }) => owner.name))].sort(), expected)
      const left = sh("nft list map ip knarr-test services").match(/10\.96\.1\.\d+ \. tcp/g) ?? []
      assert.equal(left.length, 12 - expected.length)
    }
    await programmed({}, [])
    await programmed({ s3: tooLarge, s7: tooLarge, s8: notWhole }, ["s3", "s7", "s8"])
    await programmed({ s3: tooLarge, s7: tooLarge, s8: notWhole, s9: { port: readPort(81)! } }, [
      "s3",
      "s7",
      "s8",
    ])
    await programmed({ s7: tooLarge }, ["s7"])
    // Somebody deletes the table: it is missed, and made again, whole; so it is when nobody has looked.
    await programmed({}, [])
    assert.equal(await kernel.isGone(signal), false)
    sh("nft flush ruleset")
    assert.equal(await kernel.isGone(signal), true)
    await programmed({}, [])
    assert.equal(await kernel.isGone(signal), false)
    sh("nft delete table ip knarr-test")
    await programmed({ s7: tooLarge }, ["s7"])
  })

  test("Who would take an address of the cluster gets an event; host ports take no door of the node's", async () => {
    await using scope = new Scope("test")
    const { client, events } = await startBench(scope)
    const ports = [{ name: "p", port: 6443, protocol: "TCP" as const }]
    const ready = [{ addresses: ["10.244.0.2"], nodeName: "a" }]
    await makeService(
      client,
      "thief",
      { clusterIP: "10.96.0.84", ports, externalIPs: ["10.96.0.1"] },
      ready,
      9,
    )
    await eventually("an event", () => events.length > 0)
    assert.match(
      events[0]!,
      /^thief FailedToProgramProxy Not programmed on this node: its external IP 10\.96\.0\.1 /,
    )
    const spec = {
      nodeName: "a",
      containers: [{ name: "c", image: "i", ports: [{ containerPort: 9, hostPort: 6443 }] }],
    }
    const ref = { namespace: "default", name: "p" }
    await client.create(serviceAccount, { metadata: { namespace: "default", name: "default" } })
    await client.create(pod, { metadata: ref, spec })
    const status = { podIP: "10.244.0.3", podIPs: [{ ip: "10.244.0.3" }], phase: "Running" }
    await client.patch(pod, ref, "merge", { status }, { subresource: "status" })
    await eventually("the host port is programmed", () => /tcp \. 6443 : goto host-/.test(table()))
    const server = createServer((socket) => socket.end())
    await new Promise<void>((resolve) => server.listen(6443, "10.89.0.1", resolve))
    scope.defer(() => void server.close())
    assert.equal(await knock("10.89.0.1", 6443), "connected")
    assert.equal(await knock("10.244.0.4", 6443), "ECONNREFUSED")
  })

  test("Other clusters' packets are served nothing here, and other clusters' addresses have no node ports of ours", async () => {
    await using scope = new Scope("test")
    const { client } = await startBench(scope)
    // A pod's namespace on a link of this cluster's, one on another's.
    sh(`mkdir -p /run/netns
      for i in 0 9; do
        ip netns add pod$i; ip link add knp-$i-0 type veth peer name eth0 netns pod$i; ip link set knp-$i-0 up
        ip address add 10.89.$i.1/32 dev lo
        ip address add 10.24$i.7.1/24 dev knp-$i-0
        ip -n pod$i address add 10.24$i.7.2/24 dev eth0; ip -n pod$i link set eth0 up
        ip -n pod$i route add default via 10.24$i.7.1
      done; echo 1 > /proc/sys/net/ipv4/ip_forward`)
    const server = createServer((socket) => socket.end())
    await new Promise<void>((resolve) => server.listen(8080, "10.244.0.2", resolve))
    scope.defer(() => void server.close())
    const ports = [{ name: "p", port: 80, protocol: "TCP" as const, nodePort: 30_080 }]
    const spec: Partial<Service["spec"]> = {
      type: "NodePort",
      clusterIP: "10.96.0.90",
      externalIPs: ["203.0.113.7"],
      ports,
    }
    await makeService(client, "n", spec, [{ addresses: ["10.244.0.2"], nodeName: "a" }], 8080)
    await eventually("it answers", async () => (await knock("10.96.0.90", 80)) === "connected")
    const ask = (pod: number, address: string, port: number): Promise<boolean> =>
      new Promise((resolve) => {
        const script = `exec 3<>/dev/tcp/${address}/${port}`
        spawn("ip", ["netns", "exec", `pod${pod}`, "timeout", "1", "bash", "-c", script], {
          stdio: "ignore",
        }).on("close", (code) => resolve(code === 0))
      })
    const addresses: [string, number][] = [
      ["10.96.0.90", 80],
      ["203.0.113.7", 80],
      ["10.89.0.1", 30_080],
      ["10.89.9.1", 30_080],
    ]
    const answers = await Promise.all(
      [0, 9].map((pod) => Promise.all(addresses.map(([address, port]) => ask(pod, address, port)))),
    )
    assert.deepEqual(answers, [
      [true, true, true, false],
      [false, false, false, false],
    ])
    assert.equal(await knock("10.89.0.1", 30_080), "connected")
    assert.notEqual(await knock("10.89.9.1", 30_080), "connected")
  })

  test("healthCheckNodePort and the proxy's own ports answer as kube-proxy's", async () => {
    await using scope = new Scope("test")
    const { client } = await startBench(scope, 10_256)
    const ask = (address: string, port: number, path: string): Promise<[number, string]> =>
      new Promise((resolve) => {
        const request = get({ host: address, port, path, agent: false }, (response) => {
          let body = ""
          response.setEncoding("utf8").on("data", (text: string) => (body += text))
          response.on("end", () => resolve([response.statusCode!, body]))
        })
        request.on("error", () => resolve([0, ""]))
      })
    const spec: Partial<Service["spec"]> = {
      type: "LoadBalancer",
      clusterIP: "10.96.0.83",
      externalTrafficPolicy: "Local",
      healthCheckNodePort: 31_000,
      ports: [{ name: "p", port: 80, protocol: "TCP" }],
    }
    await makeService(client, "lb", spec, [{ addresses: ["10.244.1.2"], nodeName: "b" }])
    await eventually("no endpoint here", async () => (await ask("127.0.0.1", 31_000, "/"))[0] === 503)
    const ref = { namespace: "default", name: "lb" }
    await client.patch(endpointSlice, ref, "merge", {
      endpoints: [{ addresses: ["10.244.0.2"], nodeName: "a" }],
    })
    await eventually("one here", async () => (await ask("127.0.0.1", 31_000, "/"))[0] === 200)
    const [, body] = await ask("127.0.0.1", 31_000, "/")
    assert.deepEqual(JSON.parse(body), {
      service: { namespace: "default", name: "lb" },
      localEndpoints: 1,
      serviceProxyHealthy: true,
    })
    const [code, health] = await ask("10.89.0.1", 10_256, "/healthz")
    assert.equal(code, 200)
    assert.equal(JSON.parse(health).nodeEligible, true)
    await client.patch(node, { name: "a" }, "merge", {
      spec: { taints: [{ key: "ToBeDeletedByClusterAutoscaler", effect: "NoSchedule" }] },
    })
    await eventually("the node goes", async () => (await ask("10.89.0.1", 10_256, "/healthz"))[0] === 503)
    assert.equal((await ask("10.89.0.1", 10_256, "/livez"))[0], 200)
    assert.match(
      (await ask("127.0.0.1", 10_257, "/metrics"))[1],
      /kubeproxy_sync_proxy_rules_last_timestamp_seconds/,
    )
    await client.delete(service, ref)
    await eventually("the port is closed", async () => (await ask("127.0.0.1", 31_000, "/"))[0] === 0)
  })
}

const tableOptions = {
  family: ipv4,
  table: nameText("knarr-test"),
  nodeIP: ipv4Address("10.89.0.1"),
  podCIDR: ipv4Network("10.244.0.0/16"),
  serviceCIDR: ipv4Network("10.96.0.0/16"),
  doors: [{ address: ipv4Address("10.89.0.1"), port: readPort(6443)! }],
  links: [linkName("knarr-0"), linkName("knp-0-0")],
}

interface Bench {
  readonly client: Client
  readonly scope: Scope
  readonly events: string[]
}

/** A proxy for the node `a`, with endpoints' addresses on the loopback. */
async function startBench(scope: Scope, healthz = 0): Promise<Bench> {
  const client = (await startTestPlane(scope, env)).client()
  await client.create(node, { metadata: { name: "a" }, spec: {} })
  sh("ip link set lo up; for i in 2 3 4; do ip address replace 10.244.0.$i/32 dev lo; done")
  sh("ip link show out >/dev/null 2>&1 || ip link add out type veth peer name far")
  sh("ip link set out up; ip link set far up")
  sh("ip address replace 10.89.0.1/24 dev out; ip route replace 10.96.0.0/16 dev out")
  const informers = createInformerFactory({ client, scope: scope.child("informers"), env })
  const events: string[] = []
  await startServiceProxy({
    informers,
    pods: informers.informer(pod),
    events: {
      event: ({ metadata }: EventSubject, _type, reason, message) =>
        void events.push(`${metadata.name} ${reason} ${message}`),
    },
    env,
    scope: scope.child("proxy"),
    nodeName: "a",
    ...tableOptions,
    nodeCIDR: ipv4Network("10.89.0.0/24"),
    foreign: () => [ipv4Network("10.89.9.0/24")],
    ownAddresses: () => [],
    podLink: linkName("knp-0-0"),
    ...(healthz ? { ports: { healthz, metrics: healthz + 1 } } : {}),
  })
  return { client, scope, events }
}

function sh(script: string): string {
  const { status, stdout, stderr } = spawnSync("bash", ["-ec", script], { encoding: "utf8" })
  assert.equal(status, 0, stderr)
  return stdout
}

/** Until it is so: what the proxy does follows the API by a moment. */
async function eventually(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  const signal = AbortSignal.timeout(10_000)
  while (!(await check())) {
    assert.ok(!signal.aborted, what)
    await systemClock.sleep(20, signal).catch(() => {})
  }
}

async function makeService(
  client: Client,
  name: string,
  spec: Partial<Service["spec"]>,
  endpoints: EndpointSlice["endpoints"],
  port = 5353,
): Promise<void> {
  const protocol = spec?.ports?.[0]?.protocol ?? "TCP"
  await client.create(service, { metadata: { namespace: "default", name }, spec: spec as Service["spec"] })
  await client.create(endpointSlice, {
    metadata: { namespace: "default", name, labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv4",
    ports: [{ name: "p", port, protocol }],
    endpoints,
  })
}

/** What a TCP connection comes to. */
function knock(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port, signal: AbortSignal.timeout(1_000) })
    socket.on("connect", () => resolve("connected"))
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.name))
    socket.on("close", () => socket.destroy())
  })
}

const table = (): string => sh("nft list table ip knarr-test")

/** Answers with its own address. */
async function udpServer(scope: Scope, address: string): Promise<void> {
  const socket = createSocket("udp4")
  socket.on("message", (_message, from) => socket.send(address, from.port, from.address))
  await new Promise<void>((resolve) => socket.bind(5353, address, resolve))
  scope.defer(() => void socket.close())
}

function asking(scope: Scope, address: string): { socket: Socket; ask: () => Promise<string> } {
  const socket = createSocket("udp4")
  scope.defer(() => void socket.close())
  const ask = (): Promise<string> =>
    new Promise((resolve) => {
      const timer = systemClock.timer(300, () => resolve(""))
      socket.once("message", (message) => {
        timer[Symbol.dispose]()
        resolve(message.toString())
      })
      socket.send("?", 53, address)
    })
  return { socket, ask }
}
