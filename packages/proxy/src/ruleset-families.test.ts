/**
 * The whole table of each family, as text: `UPDATE=1 node --test …` writes it anew. That of IPv4 is what clusters run;
 * that of IPv6 differs in words and addresses alone. The kernel takes both.
 */
import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { ipv4, ipv6, linkName, nameText, readAddress, readPort, type IPFamily } from "@knarr/apimachinery"
import type { EndpointSlice, Pod, Service } from "@knarr/api"
import { computeProxyState, computeRuleset, fullText, type ProxyState, type RulesetOptions } from "./index.ts"

/** The same cluster in the addresses of one family. */
interface Addresses {
  readonly family: IPFamily
  readonly pod: (node: number, n: number) => string
  readonly service: (n: number) => string
  readonly outside: (n: number) => string
  readonly node: string
  readonly pods: string
  readonly services: string
  readonly foreign: readonly string[]
  readonly sources: readonly string[]
}

const cluster4: Addresses = {
  family: ipv4,
  pod: (node, n) => `10.244.${node}.${n}`,
  service: (n) => `10.96.0.${n}`,
  outside: (n) => `203.0.113.${n}`,
  node: "10.89.0.1",
  pods: "10.244.0.0/16",
  services: "10.96.0.0/16",
  foreign: ["10.243.0.0/16", "10.243.7.0/24"],
  sources: ["10.89.0.0/16", "10.89.1.0/24", "192.0.2.0/24"],
}

const cluster6: Addresses = {
  family: ipv6,
  pod: (node, n) => `fd00:10:244:${node}::${n}`,
  service: (n) => `fd00:10:96::${n}`,
  outside: (n) => `2001:db8::${n}`,
  node: "fd00:10:89::1",
  pods: "fd00:10:244::/48",
  services: "fd00:10:96::/112",
  foreign: ["fd00:10:243::/48", "fd00:10:243:7::/64"],
  sources: ["fd00:10:89::/48", "fd00:10:89:1::/64", "2001:db8:2::/64"],
}

const canonical = (text: string): string => readAddress(text)!

const networks = ({ family }: Addresses, texts: readonly string[]) =>
  texts.map((text) => family.readNetwork(text)!)

function optionsOf(addresses: Addresses): RulesetOptions {
  const { family, node, pods, services } = addresses
  const nodeIP = family.readAddress(node)!
  const [podCIDR, serviceCIDR] = networks(addresses, [pods, services])
  return {
    ...{ family, nodeIP, podCIDR: podCIDR!, serviceCIDR: serviceCIDR! },
    table: nameText("knarr-test"),
    doors: [{ address: nodeIP, port: readPort(6443)! }],
    links: [linkName("knarr-0"), linkName("knp-0-0")],
  }
}

/** A Service of every kind, of both families: each table must take its own addresses alone. */
function stateOf(own: Addresses): ProxyState {
  const other = own === cluster4 ? cluster6 : cluster4
  const services: Service[] = []
  const slices: EndpointSlice[] = []
  const add = (
    name: string,
    endpoints: readonly [node: number, n: number][],
    spec: Record<string, unknown> = {},
    status: Record<string, unknown> = { loadBalancer: {} },
    protocol = "TCP",
  ): void => {
    const number = services.length + 20
    const metadata = { namespace: "ns", name, uid: name, creationTimestamp: "2026-01-01T00:00:00Z" }
    services.push({
      metadata,
      spec: {
        clusterIP: other.service(number),
        clusterIPs: [other.service(number), own.service(number)],
        ipFamilies: [other.family.name, own.family.name],
        ports: [{ name: "p", port: 80, protocol, ...(spec["type"] ? { nodePort: 30_000 + number } : {}) }],
        ...spec,
      },
      status,
    } as unknown as Service)
    for (const { family, pod } of [own, other])
      slices.push({
        metadata: { namespace: "ns", name, labels: { "kubernetes.io/service-name": name } },
        addressType: family.name,
        ports: [{ name: "p", port: 8080, protocol }],
        endpoints: endpoints.map(([node, n]) => ({
          addresses: [pod(node, n)],
          nodeName: `node-${node}`,
          conditions: { ready: true },
        })),
      } as unknown as EndpointSlice)
  }
  const two: [number, number][] = [
    [0, 2],
    [1, 2],
  ]
  const external = (n: number): string[] => [own.outside(n), other.outside(n)]
  const ingress = (n: number) => ({ loadBalancer: { ingress: external(n).map((ip) => ({ ip })) } })
  add("plain", two)
  add("single", [[1, 7]], {}, undefined, "UDP")
  add("empty", [])
  add("sticky", two, { sessionAffinity: "ClientIP" })
  add("outer", two, { type: "NodePort", externalIPs: external(1) })
  add("near", two, { internalTrafficPolicy: "Local", type: "NodePort" })
  add("edge", two, { type: "LoadBalancer", externalTrafficPolicy: "Local" }, ingress(2))
  add("away", [[1, 9]], { type: "LoadBalancer", externalTrafficPolicy: "Local" }, ingress(3))
  const ranges = { loadBalancerSourceRanges: [...own.sources, ...other.sources] }
  add("guarded", two, { type: "LoadBalancer", ...ranges }, ingress(4))
  const pod = (name: string, n: number, ports: readonly Record<string, unknown>[]): Pod =>
    ({
      metadata: { namespace: "ns", name, uid: name },
      spec: { containers: [{ ports }] },
      status: { podIP: other.pod(0, n), podIPs: [{ ip: other.pod(0, n) }, { ip: own.pod(0, n) }] },
    }) as unknown as Pod
  const pods = [
    pod("any", 8, [{ containerPort: 80, hostPort: 8080 }]),
    pod("one", 9, [
      { containerPort: 80, hostPort: 8081, hostIP: own.node },
      { containerPort: 80, hostPort: 8082, hostIP: other.node },
    ]),
  ]
  return computeProxyState({
    ...{ family: own.family, services, pods, nodeName: "node-0" },
    slicesOf: (key) => slices.filter(({ metadata }) => `ns/${metadata.name}` === key),
    reserved: networks(own, [own.pods, own.services]),
    foreign: networks(own, own.foreign),
    ownAddresses: [],
  })
}

function textOf(addresses: Addresses): string {
  const state = stateOf(addresses)
  assert.deepEqual(state.refused, [])
  const options = optionsOf(addresses)
  const ruleset = computeRuleset(state, options, (owner, reason) => assert.fail(`${owner.name}: ${reason}`))
  return fullText(ruleset, options)
}

for (const addresses of [cluster4, cluster6]) {
  const { name } = addresses.family
  const file = join(import.meta.dirname, "testdata", `${name.toLowerCase()}.nft`)

  test(`the table of ${name} is this one`, () => {
    const text = textOf(addresses)
    if (process.env["UPDATE"]) writeFileSync(file, text)
    assert.equal(text, readFileSync(file, "utf8"))
  })

  const able = process.getuid?.() === 0 && spawnSync("unshare", ["--net", "nft", "--version"]).status === 0
  const skip = able ? false : "needs root, nft and unshare"
  test(`the kernel leads from a Service of ${name} to its endpoints`, { skip }, () => {
    const { pod, service, node } = addresses
    const wide = addresses.family === ipv4 ? 32 : 128
    const setUp = [
      "ip link set lo up; ip link add out type veth peer name far; ip link set out up; ip link set far up",
      ...[pod(0, 2), pod(1, 2)].map((ip) => `ip address add ${ip}/${wide} dev lo`),
      `ip address add ${node}/${wide === 32 ? 24 : "64 nodad"} dev out`,
      `ip route add ${addresses.services} dev out`,
      `nft -f ${file}`,
      `exec ${process.execPath} --input-type=module -e "$PROGRAM"`,
    ].join("\n")
    const [plain, empty, sticky] = [service(20), service(22), service(23)]
    const { status, stdout, stderr } = spawnSync("unshare", ["--net", "sh", "-ec", setUp], {
      encoding: "utf8",
      timeout: 30_000,
      env: {
        ...process.env,
        PROGRAM: `
          import { connect, createServer } from "node:net"
          for (const host of ${JSON.stringify([pod(0, 2), pod(1, 2)].map(canonical))})
            createServer((socket) => socket.end(host)).listen(8080, host)
          const ask = (host) => new Promise((resolve) => {
            const socket = connect(80, host)
            socket.on("data", (data) => resolve(String(data)))
            socket.on("error", (error) => resolve(error.code))
          })
          const many = async (host) => [...new Set(await Promise.all(Array.from({ length: 40 }, () => ask(host))))].sort()
          console.log(JSON.stringify([await many("${plain}"), await ask("${empty}"), (await many("${sticky}")).length]))
          process.exit()`,
      },
    })
    assert.equal(status, 0, stderr)
    assert.deepEqual(JSON.parse(stdout), [[pod(0, 2), pod(1, 2)].map(canonical).sort(), "ECONNREFUSED", 1])
  })
}
