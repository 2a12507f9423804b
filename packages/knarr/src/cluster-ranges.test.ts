import assert from "node:assert/strict"
import { test } from "node:test"
import { ipv4Network } from "@knarr/apimachinery"
import type { UsedNetwork } from "@knarr/pod-network"
import { defaultRanges } from "./cluster-home.ts"
import {
  chooseRanges,
  clashesOf,
  isOfNumber,
  problemOf,
  readRangeFlags,
  refuseChange,
} from "./cluster-ranges.ts"

const used = (...networks: string[]): UsedNetwork[] =>
  networks.map((text) => ({ network: ipv4Network(text), on: "x", what: `the route ${text} dev x` }))

test("A range of a flag is an IPv4 network of a size that a cluster can use, or the error says why not", () => {
  const bad: Record<string, [flag: string, message: RegExp]> = {
    "": ["cluster-cidr", /must be an IPv4 network, such as 10\.20\.0\.0\/16$/],
    "10.20.0.0": ["service-cidr", /must be an IPv4 network, such as/],
    "10.20.0.0/33": ["service-cidr", /must be an IPv4 network, such as/],
    "10.20.0/16": ["cluster-cidr", /must be an IPv4 network, such as/],
    "010.20.0.0/16": ["cluster-cidr", /must be/],
    " 10.20.0.0/16": ["cluster-cidr", /did you mean 10\.20\.0\.0\/16\?$/],
    "10.20.1.0/16": ["cluster-cidr", /did you mean 10\.20\.0\.0\/16\?$/],
    "fd00::/56": ["cluster-cidr", /must be an IPv4 network$/],
    "::ffff:10.20.0.0/112": ["cluster-cidr", /must be an IPv4 network/],
    "10.20.0.0/16,fd00::/56": ["cluster-cidr", /must be one network/],
    "10.20.0.0/25": ["cluster-cidr", /is too small: the length must be 24 at most$/],
    "8.0.0.0/7": ["cluster-cidr", /is too large: the length must be 8 at least$/],
    "10.20.0.0/29": ["service-cidr", /is too small: the length must be 28 at most$/],
    "10.0.0.0/11": ["service-cidr", /is too large: the length must be 12 at least$/],
    "10.20.0.0/30": ["node-cidr", /is too small: the length must be 29 at most$/],
    "0.0.0.0/0": ["node-cidr", /is too large/],
    "127.0.0.0/16": ["cluster-cidr", /overlaps 127\.0\.0\.0\/8, which no network may have$/],
    "0.0.0.0/16": ["service-cidr", /overlaps 0\.0\.0\.0\/8/],
    "169.254.0.0/20": ["service-cidr", /overlaps 169\.254\.0\.0\/16/],
    "224.0.0.0/16": ["cluster-cidr", /overlaps 224\.0\.0\.0\/3/],
    "255.255.255.0/24": ["node-cidr", /overlaps 224\.0\.0\.0\/3/],
  }
  for (const [text, [flag, message]] of Object.entries(bad))
    assert.throws(
      () => readRangeFlags({ [flag]: text }),
      (thrown: Error) =>
        thrown.name === "UsageError" && message.test(thrown.message) && thrown.message.includes(`--${flag}`),
      `--${flag} ${text}`,
    )
  assert.deepEqual(readRangeFlags({}), {})
  assert.deepEqual(
    readRangeFlags({
      "cluster-cidr": "10.20.0.0/24",
      "service-cidr": "172.16.0.0/28",
      "node-cidr": "192.168.7.0/29",
    }),
    { podCIDR: "10.20.0.0/24", serviceCIDR: "172.16.0.0/28", nodeCIDR: "192.168.7.0/29" },
  )
})

test("Ranges of one cluster overlap none of each other and have room for its nodes", () => {
  const fine = { podCIDR: "10.20.0.0/23", serviceCIDR: "10.30.0.0/24", nodeCIDR: "10.40.0.0/29" }
  const cases: [Partial<typeof fine>, nodes: number, RegExp | undefined][] = [
    [{}, 2, undefined],
    [
      { serviceCIDR: "10.16.0.0/12" },
      1,
      /^the pods' 10\.20\.0\.0\/23 \(--cluster-cidr\) and the services' 10\.16\.0\.0\/12 \(--service-cidr\) overlap$/,
    ],
    [{ nodeCIDR: "10.20.1.0/28" }, 1, /the pods' .* and the nodes' .* overlap/],
    [{ nodeCIDR: "10.30.0.0/16" }, 1, /the services' .* and the nodes' .* overlap/],
    [
      {},
      3,
      /the pods' 10\.20\.0\.0\/23 \(--cluster-cidr\) is too small: it has room for 2 of 3 nodes \(a \/24 each\)/,
    ],
    [
      { podCIDR: "10.20.0.0/16" },
      7,
      /the nodes' 10\.40\.0\.0\/29 \(--node-cidr\) is too small: it has room for 6 of 7 nodes/,
    ],
  ]
  for (const [change, nodes, message] of cases) {
    const { podCIDR, serviceCIDR, nodeCIDR } = { ...fine, ...change }
    const ranges = {
      podCIDR: ipv4Network(podCIDR),
      serviceCIDR: ipv4Network(serviceCIDR),
      nodeCIDR: ipv4Network(nodeCIDR),
    }
    const problem = problemOf(ranges, nodes)
    if (message) assert.match(problem ?? "", message)
    else assert.equal(problem, undefined)
  }
})

test("The first number is taken whose ranges nobody uses; when 10.0.0.0/8 is somebody's, further ranges are", () => {
  const free = (...networks: string[]): { index: number; used: UsedNetwork[] }[] =>
    [0, 1, 2, 3].map((index) => ({ index, used: used(...networks) }))
  const cases: [networks: string[], index: number, podCIDR: string][] = [
    [[], 0, "10.244.0.0/16"],
    [["10.244.9.0/24"], 1, "10.243.0.0/16"],
    [["10.96.0.1/32"], 1, "10.243.0.0/16"],
    [["10.89.0.0/16"], 0, "172.16.0.0/17"],
    [["10.244.9.0/24", "10.97.0.0/16", "10.89.2.5/32"], 3, "10.241.0.0/16"],
    [["10.0.0.0/8"], 0, "172.16.0.0/17"],
    [["10.0.0.0/8", "172.16.0.0/14"], 0, "172.20.0.0/17"],
  ]
  for (const [networks, index, podCIDR] of cases) {
    const chosen = chooseRanges(free(...networks), {}, 1)
    assert.deepEqual([chosen.index, chosen.podCIDR], [index, podCIDR], networks.join())
    assert.equal(problemOf(chosen, 33), undefined)
    assert.deepEqual(clashesOf(chosen, used(...networks)), [])
  }
  const podCIDR = ipv4Network("10.96.0.0/15")
  // The services of numbers 0 and 1 would be in it.
  assert.deepEqual(chooseRanges(free(), { podCIDR }, 1), { ...defaultRanges(2), index: 2, podCIDR })
  assert.throws(
    () => chooseRanges(free("10.97.3.0/24"), { podCIDR }, 1),
    /^UsageError: the pods' 10\.96\.0\.0\/15 \(--cluster-cidr\) overlaps the route 10\.97\.3\.0\/24 dev x: choose another range$/,
  )
  assert.throws(
    () => chooseRanges(free("10.0.0.0/8", "172.16.0.0/12"), {}, 1),
    /^UsageError: the pods' 10\.244\.0\.0\/16 \(--cluster-cidr\) overlaps the route 10\.0\.0\.0\/8 dev x; name ranges .* with --cluster-cidr, --service-cidr and --node-cidr$/,
  )
  assert.throws(() => chooseRanges([], {}, 1), /^UsageError: there are 100 clusters on this machine already$/)
})

test("A cluster that is there keeps its ranges", () => {
  const before = defaultRanges(3)
  refuseChange("c", before, {})
  refuseChange("c", before, { podCIDR: before.podCIDR })
  assert.throws(
    () => refuseChange("c", before, { serviceCIDR: ipv4Network("10.20.0.0/16") }),
    /^UsageError: the cluster "c" has 10\.99\.0\.0\/16 for its services, and --service-cidr cannot change it: delete the cluster first$/,
  )
})

test("Names of links, labels and tables tell a cluster's number", () => {
  for (const name of [
    "knarr-7",
    "knp-7-0",
    "kn-7-3",
    "knarr-7-net",
    "knarr-7-services",
    "lo:knarr-7",
    "knarr-7-1",
  ])
    assert.ok(isOfNumber(name, 7), name)
  for (const name of [
    "knarr-70",
    "knarr-77-net",
    "knp-17-0",
    "xknarr-7",
    "eth0",
    "knarr",
    "lo",
    "knarr-7x",
    "",
  ])
    assert.ok(!isOfNumber(name, 7), name)
})
