import assert from "node:assert/strict"
import { test } from "node:test"
import { usedNetworks, type NetworkFacts } from "./used-networks.ts"

const nothing: NetworkFacts = { addresses: "[]", routes: "[]", rules: "[]", ruleset: "" }
const rule = (table: string, expr: unknown[]): unknown => ({
  rule: { family: "ip", table, chain: "c", expr },
})
const match = (right: unknown): unknown => ({
  match: { op: "==", left: { payload: { protocol: "ip", field: "daddr" } }, right },
})

test("Interfaces, routes, rules and nftables say which networks are in use", () => {
  const facts: NetworkFacts = {
    addresses: JSON.stringify([
      {
        ifname: "lo",
        addr_info: [
          { family: "inet", local: "127.0.0.1", prefixlen: 8, label: "lo" },
          { family: "inet", local: "10.96.0.10", prefixlen: 32, label: "lo:knarr-0" },
        ],
      },
      { ifname: "eth0", addr_info: [{ family: "inet", local: "10.1.2.3", prefixlen: 16, label: "eth0" }] },
      { ifname: "down", addr_info: [] },
    ]),
    routes: JSON.stringify([
      { dst: "default", gateway: "10.1.0.1", dev: "eth0" },
      { dst: "0.0.0.0/1", dev: "tun0" },
      { dst: "128.0.0.0/1", dev: "tun0" },
      { dst: "10.2.0.0/16", gateway: "10.1.0.9", dev: "eth0" },
      { type: "blackhole", dst: "10.3.0.0/24" },
      { type: "local", dst: "10.1.2.3", dev: "eth0", table: "local" },
      { type: "broadcast", dst: "10.1.255.255", dev: "eth0", table: "local" },
      { type: "multicast", dst: "224.0.0.0/4", dev: "eth0" },
      { dst: "169.254.0.0/16", dev: "eth0" },
      { dst: "10.4.4.4", dev: "wg0", table: "51820" },
    ]),
    rules: JSON.stringify([
      { priority: 0, src: "all", table: "local" },
      { priority: 5, src: "10.5.0.0", srclen: 16, table: "100" },
      { priority: 6, src: "all", dst: "10.6.0.1", table: "100" },
    ]),
    ruleset: JSON.stringify({
      nftables: [
        { metainfo: {} },
        { table: { family: "ip", name: "t" } },
        rule("t", [match("10.7.0.1"), { drop: null }]),
        rule("t", [match({ prefix: { addr: "10.8.0.0", len: 16 } }), { drop: null }]),
        rule("t", [match({ prefix: { addr: "10.0.0.0", len: 8 } }), { accept: null }]),
        rule("t", [match({ set: ["10.9.0.1", { prefix: { addr: "10.10.0.0", len: 24 } }] })]),
        {
          map: {
            table: "m",
            name: "services",
            elem: [[{ concat: ["10.11.0.1", "tcp", 443] }, { goto: { target: "x" } }]],
          },
        },
        { set: { table: "s", name: "ips", elem: ["10.12.0.1"] } },
        rule("t", [{ xt: null }]),
        rule("t", [match("10.13.0.1"), { accept: null }]),
      ],
    }),
  }
  assert.deepEqual(
    usedNetworks(facts).map(({ network, on, what }) => `${network} | ${on} | ${what}`),
    [
      "10.96.0.10/32 | lo:knarr-0 | the address 10.96.0.10/32 of the interface lo",
      "10.1.0.0/16 | eth0 | the address 10.1.2.3/16 of the interface eth0",
      "10.2.0.0/16 | eth0 | the route 10.2.0.0/16 via 10.1.0.9 dev eth0",
      "10.3.0.0/24 |  | the route blackhole 10.3.0.0/24",
      "10.4.4.4/32 | wg0 | the route 10.4.4.4/32 dev wg0",
      "10.5.0.0/16 |  | the rule from 10.5.0.0/16 lookup 100",
      "10.6.0.1/32 |  | the rule to 10.6.0.1/32 lookup 100",
      "10.7.0.1/32 | t | 10.7.0.1/32 in nftables' table t (c)",
      "10.8.0.0/16 | t | 10.8.0.0/16 in nftables' table t (c)",
      "10.9.0.1/32 | t | 10.9.0.1/32 in nftables' table t (c)",
      "10.10.0.0/24 | t | 10.10.0.0/24 in nftables' table t (c)",
      "10.11.0.1/32 | m | 10.11.0.1/32 in nftables' table m (services)",
      "10.12.0.1/32 | s | 10.12.0.1/32 in nftables' table s (ips)",
    ],
  )
})

test("What cannot be read says nothing", () => {
  for (const text of ["", "{", "null", "[]", "{}", "[{}]"])
    assert.deepEqual(usedNetworks({ addresses: text, routes: text, rules: text, ruleset: text }), [], text)
  assert.deepEqual(usedNetworks(nothing), [])
})
