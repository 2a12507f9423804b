/** The pod network of both families; on a real kernel in a network namespace of the test's own: the file runs itself there. */
import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { test } from "node:test"
import { holds, ipv4, ipv6, linkName, type IPFamily } from "@knarr/apimachinery"
import type { Node } from "@knarr/api"
import { nodeOf } from "@knarr/testkit"
import { cniConflist } from "./cni-config.ts"
import { runHostCommand } from "./host-command.ts"
import {
  applyMasquerade,
  masqueradeRules,
  masqueradeTable,
  missingTables,
  removeTables,
} from "./masquerade.ts"
import { planNetwork, type FamilyRanges } from "./pod-network.ts"
import { readRoutes, syncRoutes, type NodeRoute } from "./routes.ts"

const rangesOf = (family: IPFamily, pods: string, nodes: string): FamilyRanges => ({
  family,
  clusterCIDR: family.readNetwork(pods)!,
  nodeCIDR: family.readNetwork(nodes)!,
})
const four = rangesOf(ipv4, "198.18.0.0/17", "198.19.0.0/24")
const six = rangesOf(ipv6, "fd00:10:244::/48", "fd00:10:89::/64")

function node(name: string, podCIDRs: string[], addresses: string[]): Node {
  return nodeOf(name, {
    spec: { podCIDR: podCIDRs[0]!, podCIDRs },
    status: { addresses: addresses.map((address) => ({ type: "InternalIP", address })) },
  })
}

const nodes = [
  node("a", ["198.18.1.0/24", "fd00:10:244:1::/64"], ["198.19.0.1", "fd00:10:89::1"]),
  node("b", ["198.18.2.0/24", "FD00:10:244:2:0::/64"], ["198.19.0.2", "fd00:10:89::2"]),
  node("c", ["198.18.3.0/24"], ["198.19.0.3"]),
  node("d", ["198.18.4.0/24", "fd00:dead::/64"], ["198.19.0.4", "fd00:10:89::4"]),
]
const routes4 = [2, 3, 4].map((n) => ({ podCIDR: `198.18.${n}.0/24`, via: `198.19.0.${n}` }))
const route6 = { podCIDR: "fd00:10:244:2::/64", via: "fd00:10:89::2" }

test("the plan of two families is that of each, and of one it is that of one", () => {
  const both = planNetwork("a", nodes, [four, six])
  assert.deepEqual(both.podCIDRs, ["198.18.1.0/24", "fd00:10:244:1::/64"])
  assert.deepEqual(both.routes, [...routes4, route6])
  assert.deepEqual(
    both.refused.map((one) => `${one.node.metadata.name} ${one.reason}`),
    ['d its podCIDR "fd00:dead::/64" is not inside the cluster\'s fd00:10:244::/48'],
  )
  assert.deepEqual(planNetwork("a", nodes, [four]), {
    podCIDRs: ["198.18.1.0/24"],
    routes: routes4,
    refused: [],
  })
  assert.deepEqual(planNetwork("c", nodes, [six]).podCIDRs, [])
})

test("pods get an address of each family, the preferred one first", () => {
  const text = cniConflist({
    dir: "/x",
    bridge: linkName("knp-0-0"),
    podCIDRs: planNetwork("a", nodes, [four, six]).podCIDRs,
  })
  const { plugins } = JSON.parse(text) as { plugins: { ipam: { ranges: unknown } }[] }
  assert.deepEqual(plugins[0]!.ipam.ranges, [
    [{ subnet: "198.18.1.0/24" }],
    [{ subnet: "fd00:10:244:1::/64" }],
  ])
})

test("each family has a masquerade table of its own, of the same name", () => {
  for (const [{ family, clusterCIDR, nodeCIDR }, multicast] of [
    [four, "224.0.0.0/4"],
    [six, "ff00::/8"],
  ] as const) {
    const table = masqueradeTable("t")
    const text = masqueradeRules({ table, from: clusterCIDR, except: [clusterCIDR, nodeCIDR] })
    assert.equal(
      text,
      `add table ${family.word} knarr-t-net
delete table ${family.word} knarr-t-net
table ${family.word} knarr-t-net {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ${family.word} saddr ${clusterCIDR} ${family.word} daddr != { ${clusterCIDR}, ${nodeCIDR}, ${multicast} } masquerade fully-random
  }
}
`,
    )
  }
})

const able =
  process.getuid?.() === 0 && ["nft", "unshare"].every((name) => spawnSync(name, ["--version"]).status === 0)

if (process.env["KNARR_TEST_ROLE"] === "node") testOnRealKernel()
else
  test("Both families on a real kernel", { skip: able ? false : "needs root, nft and unshare" }, () => {
    // The reporter of the outer run must not speak for the inner one.
    const { NODE_TEST_CONTEXT: _, ...rest } = process.env
    const result = spawnSync(
      "unshare",
      [
        "--net",
        process.execPath,
        "--test-reporter=tap",
        "--test-name-pattern=real routes",
        import.meta.filename,
      ],
      { encoding: "utf8", env: { ...rest, KNARR_TEST_ROLE: "node" } },
    )
    assert.equal(result.status, 0, `${result.stdout}\n${result.stderr}`)
    assert.match(result.stdout, /\n# pass 1\n/)
  })

function testOnRealKernel(): void {
  test("real routes and tables of one family leave those of the other alone", async () => {
    const signal = AbortSignal.timeout(30_000)
    const sh = (script: string): Promise<string> => runHostCommand("sh", ["-ec", script], { signal })
    await sh(
      `ip link set lo up; ip link add eth0 type veth peer name far; ip link set eth0 up; ip link set far up
       ip address add 198.19.0.1/24 dev eth0; ip address add fd00:10:89::1/64 dev eth0 nodad`,
    )
    const plan = planNetwork("a", nodes, [four, six])
    const table = masqueradeTable("t")
    for (const { family, clusterCIDR, nodeCIDR } of [four, six]) {
      const ours = ({ podCIDR }: NodeRoute): boolean => holds(clusterCIDR, podCIDR)
      const wanted = plan.routes.filter(ours)
      const sync = (routes: readonly NodeRoute[]) => syncRoutes(family, routes, ours, signal)
      assert.deepEqual(await sync(wanted), { count: wanted.length, failed: [] })
      assert.deepEqual(await sync(wanted), { count: 0, failed: [] })
      const from = plan.podCIDRs.find((podCIDR) => holds(clusterCIDR, podCIDR))!
      await applyMasquerade({ table, from, except: [clusterCIDR, nodeCIDR] }, signal)
    }
    assert.deepEqual(await readRoutes(ipv4, signal), routes4)
    assert.deepEqual(await readRoutes(ipv6, signal), [route6])
    assert.match(await sh("ip -6 route get fd00:10:244:2::7"), /via fd00:10:89::2 dev eth0/)
    await syncRoutes(ipv6, [], () => true, signal)
    await removeTables(ipv6, [table], signal)
    assert.deepEqual(await readRoutes(ipv6, signal), [])
    assert.equal((await readRoutes(ipv4, signal)).length, 3)
    assert.deepEqual(await missingTables(ipv6, [table], signal), [table])
    assert.deepEqual(await missingTables(ipv4, [table], signal), [])
  })
}
