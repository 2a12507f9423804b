import assert from "node:assert/strict"
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import type { Node } from "@knarr/api"
import { cniConflist, writeCniConfig } from "./cni-config.ts"
import { planForwardRemoval, planForwardRules } from "./forward-accept.ts"
import { isInstalled, runHostCommand } from "./host-command.ts"
import { applyMasquerade, masqueradeRules, masqueradeTable, removeMasquerade } from "./masquerade.ts"
import {
  createNodeNetns,
  deleteNodeNetns,
  nodeAddress,
  nodeBridge,
  nodeNetns,
  removeNodeNetwork,
  type LocalCluster,
} from "./node-network.ts"
import { planNetwork } from "./pod-network.ts"
import { planRoutes, readRoutes, syncRoutes } from "./routes.ts"

function node(name: string, podCIDR: string | undefined, address: string | undefined): Node {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, uid: name, resourceVersion: "1", creationTimestamp: "2026-01-01T00:00:00Z" },
    spec: podCIDR === undefined ? {} : { podCIDR, podCIDRs: [podCIDR] },
    status: address === undefined ? {} : { addresses: [{ type: "InternalIP", address }] },
  }
}

test("The plan is the node's own range and a route to each other node that has both", () => {
  const plan = planNetwork("a", [
    node("c", "10.244.2.0/24", "10.89.0.3"),
    node("a", "10.244.0.0/24", "10.89.0.1"),
    node("b", "10.244.1.0/24", "10.89.0.2"),
    node("d", undefined, "10.89.0.4"),
    node("e", "10.244.4.0/24", undefined),
  ])
  assert.deepEqual(plan, {
    podCIDR: "10.244.0.0/24",
    routes: [
      { podCIDR: "10.244.1.0/24", via: "10.89.0.2" },
      { podCIDR: "10.244.2.0/24", via: "10.89.0.3" },
    ],
  })
  assert.deepEqual(planNetwork("x", []), { podCIDR: undefined, routes: [] })
})

test("Routes change only where they differ", () => {
  const one = { podCIDR: "10.244.1.0/24", via: "10.89.0.2" }
  const two = { podCIDR: "10.244.2.0/24", via: "10.89.0.3" }
  assert.deepEqual(planRoutes([one, two], [one, two]), [])
  assert.deepEqual(planRoutes([one], [two]), [
    "route delete 10.244.1.0/24 via 10.89.0.2 proto 89",
    "route replace 10.244.2.0/24 via 10.89.0.3 proto 89",
  ])
  assert.deepEqual(planRoutes([one], [{ ...one, via: "10.89.0.9" }]), [
    "route replace 10.244.1.0/24 via 10.89.0.9 proto 89",
  ])
})

test("The CNI configuration is written once, whole", () => {
  const dir = mkdtempSync("/tmp/knarr-cni-")
  try {
    const config = { dir, bridge: "knp-0-0", podCIDR: "10.244.0.0/24", mtu: 1450, ipamDir: "/x" }
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
  const rules = masqueradeRules({ table: "t", from: "10.244.0.0/24", except: ["10.244.0.0/16"] })
  assert.match(
    rules,
    /ip saddr 10\.244\.0\.0\/24 ip daddr != \{ 10\.244\.0\.0\/16, 224\.0\.0\.0\/4 \} masquerade/,
  )
  assert.equal(masqueradeTable("my cluster/1"), "knarr-my_cluster_1-net")
  assert.throws(() => nodeAddress({ name: "x", index: 0 }, 254), RangeError)
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
  assert.deepEqual(planForwardRules("-P FORWARD ACCEPT\n", ["10.244.0.0/16"], "knarr-x-net"), [])
  assert.deepEqual(planForwardRules("", ["10.244.0.0/16"], "knarr-x-net"), [])
  const dropping = "-P FORWARD DROP\n-A FORWARD -j DOCKER-USER\n"
  assert.deepEqual(planForwardRules(dropping, ["10.244.0.0/16"], "knarr-x-net"), [rule("-s"), rule("-d")])
  const half = `${dropping}-A FORWARD -s 10.244.0.0/16 -m comment --comment knarr-x-net -j ACCEPT\n`
  assert.deepEqual(planForwardRules(half, ["10.244.0.0/16"], "knarr-x-net"), [rule("-d")])
  assert.deepEqual(planForwardRules(half, ["10.244.0.0/16"], "knarr-y-net").length, 2)
  const removal = [["-D", ...rule("-s").slice(1)]]
  assert.deepEqual(planForwardRemoval(half, "knarr-x-net"), removal)
  assert.deepEqual(planForwardRemoval(half.replace("knarr-x-net", '"knarr-x-net"'), "knarr-x-net"), removal)
  assert.deepEqual(planForwardRemoval(half, "knarr-x"), [])
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
    const cluster: LocalCluster = { name: `test-${process.pid}`, index: freeIndex() }
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
      const within = (via: string): boolean => via.startsWith(`${net}.`)
      const routes = [{ podCIDR: "198.18.2.0/24", via: `${net}.3` }]
      assert.equal(await syncRoutes(routes, within, signal), 1)
      assert.equal(await syncRoutes(routes, within, signal), 0)
      assert.deepEqual(
        (await readRoutes(signal)).filter(({ via }) => within(via)),
        routes,
      )
      const neighbour = await runHostCommand("ip", ["route", "get", "198.18.2.1"], { signal })
      assert.match(neighbour, new RegExp(`via ${net}\\.3 dev ${nodeBridge(cluster)}`))
      const table = masqueradeTable(cluster.name)
      await applyMasquerade({ table, from: "198.18.0.0/24", except: ["198.18.0.0/16"] }, signal)
      await applyMasquerade({ table, from: "198.18.0.0/24", except: ["198.18.0.0/16"] }, signal)
      assert.match(await runHostCommand("nft", ["list", "table", "ip", table], { signal }), /masquerade/)
      await removeMasquerade([table], signal)
      await removeMasquerade([table], signal)
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
  },
)

/** A cluster number that nobody on this machine uses, from the end. */
function freeIndex(): number {
  const links = readdirSync("/sys/class/net")
  for (let index = 255; index > 0; index--) if (!links.includes(`knarr-${index}`)) return index
  throw new Error("Cannot find a free cluster number")
}
