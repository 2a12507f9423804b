import assert from "node:assert/strict"
import { nodeOf } from "@knarr/testkit"
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import {
  addressIn,
  holds,
  ipv4,
  ipv4Address,
  ipv4Network,
  joined,
  line,
  linkName,
  nameText,
} from "@knarr/apimachinery"
import type { Node } from "@knarr/api"
import { cniConflist, writeCniConfig } from "./cni-config.ts"
import { planForwardRemoval, planForwardRules } from "./forward-accept.ts"
import { failedCommands, ipBatch, isInstalled, runHostCommand } from "./host-command.ts"
import { applyMasquerade, masqueradeRules, masqueradeTable, removeTables } from "./masquerade.ts"
import {
  createNodeNetns,
  deleteNodeNetns,
  nodeAddress,
  nodeBridge,
  nodeNetns,
  podBridge,
  removeNodeNetwork,
  type LocalCluster,
} from "./node-network.ts"
import { planNetwork } from "./pod-network.ts"
import { planRoutes, readRoutes, syncRoutes, type NodeRoute } from "./routes.ts"

const ranges = { clusterCIDR: ipv4Network("10.244.0.0/16"), nodeCIDR: ipv4Network("10.89.0.0/24") }

const families = [{ family: ipv4, ...ranges }]

function route(podCIDR: string, via: string): NodeRoute {
  return { podCIDR: ipv4Network(podCIDR), via: ipv4Address(via) }
}

function localCluster(name: string, index: number): LocalCluster {
  return {
    name,
    index,
    nodeCIDR: ipv4Network(`10.89.${index}.0/24`),
    podCIDR: ipv4Network("198.18.0.0/17"),
    serviceCIDR: ipv4Network("198.19.0.0/24"),
  }
}

function node(name: string, podCIDR: string | undefined, address: string | undefined): Node {
  return nodeOf(name, {
    spec: podCIDR === undefined ? {} : { podCIDR, podCIDRs: [podCIDR] },
    status: address === undefined ? {} : { addresses: [{ type: "InternalIP", address }] },
  })
}

test("The plan is the node's own range and a route to each other node that has both", () => {
  const plan = planNetwork(
    "a",
    [
      node("c", "10.244.2.0/24", "10.89.0.3"),
      node("a", "10.244.0.0/24", "10.89.0.1"),
      node("b", "10.244.1.0/24", "10.89.0.2"),
      node("d", undefined, "10.89.0.4"),
      node("e", "10.244.4.0/24", undefined),
    ],
    families,
  )
  assert.deepEqual(plan, {
    podCIDRs: ["10.244.0.0/24"],
    routes: [
      { podCIDR: "10.244.1.0/24", via: "10.89.0.2" },
      { podCIDR: "10.244.2.0/24", via: "10.89.0.3" },
    ],
    refused: [],
  })
  assert.deepEqual(planNetwork("x", [], families), { podCIDRs: [], routes: [], refused: [] })
})

test("What a node says of itself counts only inside the cluster's ranges, and stops no other node", () => {
  const good = [node("a", "10.244.0.0/24", "10.89.0.1"), node("b", "10.244.1.0/24", "10.89.0.2")]
  const addresses = [
    "10.89.0.99\nnetns add pwn\nnetns exec pwn touch /tmp/PWNED\nroute replace 10.244.9.0/24 via 10.89.0.9",
    "10.89.0.99 dev lo",
    "localhost.",
    "zz.",
    "2130706433",
    "0x7f.1",
    "127.0.0.1",
    "127.1.0.0",
    "0.0.0.0",
    "255.255.255.255",
    "224.0.0.1",
    "192.0.2.2",
    "10.244.0.1",
    "10.96.0.1",
    "10.89.1.1",
    // The asking node's own.
    "10.89.0.1",
  ]
  const cidrs = [
    "0.0.0.0/0",
    "default",
    "10.0.0.0/8",
    "10.244.0.0/15",
    "10.96.0.0/16",
    "10.89.0.0/24",
    "127.0.0.0/8",
    "192.0.2.0/24",
    "10.245.0.0/24",
    "10.244.1.0/24 dev lo",
    "10.244.1.0/24\nroute flush table main",
    "garbage!",
    // Those of others.
    "10.244.0.0/16",
    "10.244.0.0/24",
    "10.244.1.128/25",
    "10.244.0.0/23",
  ]
  const bad = [
    ...addresses.map((address) => node("bad", "10.244.9.0/24", address)),
    ...cidrs.map((cidr) => node("bad", cidr, "10.89.0.9")),
  ]
  for (const one of bad) {
    const what = JSON.stringify([one.spec.podCIDR, one.status.addresses])
    const plan = planNetwork("a", [one, ...good], families)
    assert.deepEqual(plan.routes, [route("10.244.1.0/24", "10.89.0.2")], what)
    assert.equal(plan.podCIDRs.join(), "10.244.0.0/24", what)
    assert.equal(plan.refused.length, 1, what)
    assert.equal(plan.refused[0]!.node, one, what)
  }
  // The younger one of two that overlap is refused whatever their order and names, the own one never.
  const young = node("0", "10.244.0.0/23", "10.89.0.9")
  young.metadata.creationTimestamp = "2026-01-02T00:00:00Z"
  assert.deepEqual(planNetwork("b", [young, ...good], families).routes, [route("10.244.0.0/24", "10.89.0.1")])
  assert.equal(planNetwork("0", [young, ...good], families).podCIDRs.join(), "10.244.0.0/23")
})

test("Routes change only where they differ", () => {
  const one = route("10.244.1.0/24", "10.89.0.2")
  const two = route("10.244.2.0/24", "10.89.0.3")
  assert.deepEqual(planRoutes([one, two], [one, two]), [])
  assert.deepEqual(planRoutes([one], [two]), [
    "route delete 10.244.1.0/24 via 10.89.0.2 proto 89",
    "route replace 10.244.2.0/24 via 10.89.0.3 proto 89",
  ])
  assert.deepEqual(planRoutes([one], [{ ...one, via: ipv4Address("10.89.0.9") }]), [
    "route replace 10.244.1.0/24 via 10.89.0.9 proto 89",
  ])
})

test("Of a batch that was carried on, the commands that failed are known with their complaints", () => {
  const commands = [line`route replace ${1}`, line`route replace ${2}`, line`route replace ${3}`]
  const output =
    "Error: Nexthop has invalid gateway.\nCommand failed -:2\nRTNETLINK answers: No such process\nCommand failed -:3\n"
  assert.deepEqual(failedCommands(commands, output), [
    { command: commands[1], message: "Error: Nexthop has invalid gateway." },
    { command: commands[2], message: "RTNETLINK answers: No such process" },
  ])
  assert.throws(() => failedCommands(commands, "Cannot open netlink socket"), /Cannot open netlink socket/)
})

test("The CNI configuration is written once, whole", () => {
  const dir = mkdtempSync("/tmp/knarr-cni-")
  try {
    const podCIDRs = [ipv4Network("10.244.0.0/24")]
    const config = { dir, bridge: linkName("knp-0-0"), podCIDRs, mtu: 1450, ipamDir: "/x" }
    assert.equal(writeCniConfig(config), true)
    assert.equal(writeCniConfig(config), false)
    assert.deepEqual(readdirSync(dir), ["10-knarr.conflist"])
    const { plugins } = JSON.parse(readFileSync(join(dir, "10-knarr.conflist"), "utf8"))
    assert.equal(plugins.length, 1)
    assert.deepEqual(plugins[0].ipam, {
      type: "host-local",
      ranges: [[{ subnet: "10.244.0.0/24" }]],
      dataDir: "/x",
    })
    assert.equal(plugins[0].mtu, 1450)
    assert.equal(writeCniConfig({ ...config, portmap: true }), true)
    assert.equal(JSON.parse(cniConflist({ ...config, portmap: true })).plugins[1].type, "portmap")
  } finally {
    rmSync(dir, { recursive: true })
  }
})

test("Masquerading spares the cluster, and a table's name is one that nftables takes", () => {
  const rules = masqueradeRules({
    table: nameText("t"),
    from: ipv4Network("10.244.0.0/24"),
    except: [ipv4Network("10.244.0.0/16")],
  })
  assert.match(
    rules,
    /ip saddr 10\.244\.0\.0\/24 ip daddr != \{ 10\.244\.0\.0\/16, 224\.0\.0\.0\/4 \} masquerade/,
  )
  assert.equal(masqueradeTable("my cluster/1"), "knarr-my_cluster_1-net")
  assert.throws(() => nodeAddress(ranges, 254), RangeError)
})

test("Forwarding is let through only where it would be dropped, once, and taken back", () => {
  const rule = (flag: string): string[] => [
    "-I",
    "FORWARD",
    flag,
    "10.244.0.0/16",
    "-m",
    "comment",
    "--comment",
    "knarr-x-net",
    "-j",
    "ACCEPT",
  ]
  const cidrs = [ipv4Network("10.244.0.0/16")]
  const [x, y] = [nameText("knarr-x-net"), nameText("knarr-y-net")]
  assert.deepEqual(planForwardRules("-P FORWARD ACCEPT\n", cidrs, x), [])
  assert.deepEqual(planForwardRules("", cidrs, x), [])
  const dropping = "-P FORWARD DROP\n-A FORWARD -j DOCKER-USER\n"
  assert.deepEqual(planForwardRules(dropping, cidrs, x), [rule("-s"), rule("-d")])
  const half = `${dropping}-A FORWARD -s 10.244.0.0/16 -m comment --comment knarr-x-net -j ACCEPT\n`
  assert.deepEqual(planForwardRules(half, cidrs, x), [rule("-d")])
  assert.deepEqual(planForwardRules(half, cidrs, y).length, 2)
  const removal = [["-D", ...rule("-s").slice(1)]]
  assert.deepEqual(planForwardRemoval(half, x), removal)
  assert.deepEqual(planForwardRemoval(half.replace("knarr-x-net", '"knarr-x-net"'), x), removal)
  assert.deepEqual(planForwardRemoval(half, nameText("knarr-x")), [])
})

const missing = ["ip", "nft", "nsenter"].filter((program) => !isInstalled(program))
const skip =
  process.getuid?.() !== 0
    ? "network namespaces need root"
    : missing.length > 0
      ? `not installed: ${missing.join(", ")}`
      : false

test(
  "Nodes on one machine reach each other and each other's pods, and leave nothing behind",
  { skip, timeout: 60_000 },
  async () => {
    const cluster: LocalCluster = localCluster(`test-${process.pid}`, freeIndex())
    const signal = AbortSignal.timeout(50_000)
    const inside = (index: number, ...command: string[]): Promise<string> =>
      runHostCommand("nsenter", [`--net=/run/netns/${nodeNetns(cluster, index)}`, ...command], { signal })
    const net = `10.89.${cluster.index}`
    try {
      for (const index of [1, 2, 1]) {
        const made = await createNodeNetns({ cluster, index }, signal)
        assert.deepEqual(made, { name: nodeNetns(cluster, index), address: `${net}.${index + 1}` })
      }
      assert.match(await inside(1, "ip", "route", "get", "192.0.2.1"), new RegExp(`via ${net}\\.1 dev eth0`))
      assert.equal((await inside(1, "cat", "/proc/sys/net/ipv4/ip_forward")).trim(), "1")
      // A pod's address on node 2, asked for from the host.
      await inside(2, "ip", "address", "add", "198.18.2.1/32", "dev", "lo")
      const ours = ({ podCIDR }: NodeRoute): boolean => holds(cluster.podCIDR, podCIDR)
      const wanted = [route("198.18.2.0/24", `${net}.3`)]
      assert.deepEqual(await syncRoutes(ipv4, wanted, ours, signal), { count: 1, failed: [] })
      assert.deepEqual(await syncRoutes(ipv4, wanted, ours, signal), { count: 0, failed: [] })
      // One that the kernel refuses stops no other.
      const third = route("198.18.3.0/24", `${net}.2`)
      const refused = await syncRoutes(
        ipv4,
        [route("198.18.1.0/24", "203.0.113.9"), third, ...wanted],
        ours,
        signal,
      )
      assert.deepEqual(
        refused.failed.map(({ command }) => command),
        ["route replace 198.18.1.0/24 via 203.0.113.9 proto 89"],
      )
      assert.deepEqual((await readRoutes(ipv4, signal)).filter(ours), [...wanted, third])
      await syncRoutes(ipv4, wanted, ours, signal)
      assert.deepEqual((await readRoutes(ipv4, signal)).filter(ours), wanted)
      const neighbour = await runHostCommand("ip", ["route", "get", "198.18.2.1"], { signal })
      assert.match(neighbour, new RegExp(`via ${net}\\.3 dev ${nodeBridge(cluster)}`))
      const table = masqueradeTable(cluster.name)
      const masquerade = { table, from: ipv4Network("198.18.0.0/24"), except: [cluster.podCIDR] }
      await applyMasquerade(masquerade, signal)
      await applyMasquerade(masquerade, signal)
      assert.match(await runHostCommand("nft", ["list", "table", "ip", table], { signal }), /masquerade/)
      await removeTables(ipv4, [table], signal)
      await removeTables(ipv4, [table], signal)
      await deleteNodeNetns({ cluster, index: 1 }, signal)
      await deleteNodeNetns({ cluster, index: 1 }, signal)
      assert.ok(!existsSync(`/run/netns/${nodeNetns(cluster, 1)}`))
    } finally {
      const cleanup = AbortSignal.timeout(20_000)
      await removeNodeNetwork(cluster, cleanup)
      await removeNodeNetwork(cluster, cleanup)
    }
    assert.ok(!existsSync(`/sys/class/net/${nodeBridge(cluster)}`))
    assert.ok(!existsSync(`/run/netns/${nodeNetns(cluster, 2)}`))
    const tables = await runHostCommand("nft", ["list", "tables"], { signal })
    assert.ok(!tables.includes(cluster.name))
    const links = readdirSync("/sys/class/net").filter(
      (name) => name.startsWith("kn") && name.includes(`-${cluster.index}`),
    )
    assert.deepEqual(links, [])
    assert.deepEqual(
      (await readRoutes(ipv4, signal)).filter(({ podCIDR }) => holds(cluster.podCIDR, podCIDR)),
      [],
    )
  },
)

test(
  "Clusters of one machine do not reach each other's nodes, services and pods",
  { skip, timeout: 60_000 },
  async () => {
    const signal = AbortSignal.timeout(50_000)
    const servicesTable = nameText(`test-services-${process.pid}`)
    const first = localCluster(`test-a-${process.pid}`, freeIndex())
    const clusters = [first, { ...localCluster(`test-b-${process.pid}`, 0), ...second(first.index) }]
    const inside = (cluster: LocalCluster, ...command: string[]): Promise<string> =>
      runHostCommand("nsenter", [`--net=/run/netns/${nodeNetns(cluster, 1)}`, ...command], { signal })
    const reached = async (from: LocalCluster, address: string): Promise<boolean> => {
      const script = `exec 3<>/dev/tcp/${address}/9`
      const said = await inside(from, "timeout", "0.5", "bash", "-c", script).then(
        () => "",
        (thrown: unknown) => String(thrown),
      )
      // Nobody listens: who is reached says so, who is not says nothing.
      return said.includes("Connection refused")
    }
    try {
      for (const cluster of clusters) {
        await createNodeNetns({ cluster, index: 1 }, signal)
        const link = podBridge(cluster, 0)
        await ipBatch(
          [
            line`link add ${link} type bridge`,
            line`address add ${addressIn(cluster.podCIDR, 1)}/${24} dev ${link}`,
            // An earlier run that was killed may have left it.
            line`address replace ${addressIn(cluster.serviceCIDR, 10)}/32 dev lo`,
            line`link set ${link} up`,
          ],
          signal,
        )
      }
      const doors = clusters.flatMap((other) =>
        [
          nodeAddress(other, 0),
          nodeAddress(other, 1),
          addressIn(other.podCIDR, 1),
          addressIn(other.serviceCIDR, 10),
        ].map((address) => ({ other, address })),
      )
      // A Service may lead anywhere: each of these leads to one of the doors.
      const services = ipv4Network("203.0.113.0/24")
      const leads = doors.map(({ address }, i) => line`${addressIn(services, i)} : ${address}`)
      const input = line`table ip ${servicesTable} {
  chain c {
    type nat hook prerouting priority -100;
    dnat ip to ip daddr map { ${joined(leads, ", ")} }
  }
}
`
      await runHostCommand("nft", ["-f", "-"], { signal, input })
      const tries = clusters.flatMap((cluster) =>
        doors.flatMap(({ other, address }, i) =>
          [address, addressIn(services, i)].map(async (asked) => {
            // Nobody comes back to itself without more rules than these.
            if (asked !== address && address === nodeAddress(cluster, 1)) return
            const what = `${cluster.name} asks ${other.name} at ${address} by ${asked}`
            assert.equal(await reached(cluster, asked), cluster === other, what)
          }),
        ),
      )
      await Promise.all(tries)
    } finally {
      const cleanup = AbortSignal.timeout(20_000)
      for (const cluster of clusters) {
        await removeNodeNetwork(cluster, cleanup)
        await ipBatch([line`address delete ${addressIn(cluster.serviceCIDR, 10)}/32 dev lo`], cleanup, {
          carryOn: true,
        })
      }
      await removeTables(ipv4, [servicesTable], cleanup)
    }
  },
)

/** Another cluster beside the one with this number. */
function second(index: number): Omit<LocalCluster, "name"> {
  return {
    index: index - 1,
    nodeCIDR: ipv4Network(`10.89.${index - 1}.0/24`),
    podCIDR: ipv4Network("198.18.128.0/17"),
    serviceCIDR: ipv4Network("198.19.1.0/24"),
  }
}

/** A number that, with the one before it, no cluster on this machine uses, from the end. */
function freeIndex(): number {
  const links = readdirSync("/sys/class/net")
  for (let index = 255; index > 1; index--)
    if (!links.includes(`knarr-${index}`) && !links.includes(`knarr-${index - 1}`)) return index
  throw new Error("Cannot find a free cluster number")
}
