import assert from "node:assert/strict"
import { test } from "node:test"
import type { Node, Pod } from "@knarr/api"
import { ClusterCache } from "./index.ts"
import { nodeOf, OfflineScheduler, podOf } from "./testing.ts"

const node = nodeOf
const pod = podOf

function run(nodes: readonly Node[], running: readonly Pod[], wanted: Pod): Promise<string> {
  const scheduler = new OfflineScheduler()
  for (const one of nodes) scheduler.cache.setNode(one)
  for (const one of running) scheduler.cache.setPod(one)
  return scheduler.outcome(wanted)
}

const refusedBy = (total: number, reasons: string, preemption: string): string =>
  `0/${total} nodes are available: ${reasons}. preemption: 0/${total} nodes are available: ${preemption}.`
const notHelpful = (n: number): string => `${n} Preemption is not helpful for scheduling`
const noVictims = (n: number): string => `${n} No preemption victims found for incoming pod`
const anti = {
  podAntiAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [
      { topologyKey: "kubernetes.io/hostname", labelSelector: { matchLabels: { app: "a" } } },
    ],
  },
}
const near = {
  podAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [
      { topologyKey: "zone", labelSelector: { matchLabels: { app: "a" } } },
    ],
  },
}
const spread = {
  topologySpreadConstraints: [
    {
      maxSkew: 1,
      topologyKey: "zone",
      whenUnsatisfiable: "DoNotSchedule",
      labelSelector: { matchLabels: { app: "a" } },
    },
  ],
}
const zones = [node("a", { labels: { zone: "z1" } }), node("b", { labels: { zone: "z2" } })]
const a = { labels: { app: "a" } }

test("decide finds the node, or says why there is none in upstream's words", async () => {
  const cases: [string, Node[], Pod[], Pod, string][] = [
    ["no nodes", [], [], pod(), "no nodes available to schedule pods"],
    ["the only one", [node("a")], [], pod(), "a"],
    [
      "cpu",
      [node("a", { cpu: "1" }), node("b")],
      [pod({ on: "b", cpu: "3500m" })],
      pod({ cpu: "2" }),
      refusedBy(2, "2 Insufficient cpu", `${noVictims(1)}, ${notHelpful(1)}`),
    ],
    [
      "pods",
      [node("a", { pods: "1" })],
      [pod({ on: "a" })],
      pod(),
      refusedBy(1, "1 Too many pods", noVictims(1)),
    ],
    [
      "cordoned",
      [node("a", { spec: { unschedulable: true } })],
      [],
      pod(),
      refusedBy(1, "1 node(s) were unschedulable", notHelpful(1)),
    ],
    [
      "taint",
      [node("a", { spec: { taints: [{ key: "k", effect: "NoSchedule" }] } }), node("b")],
      [],
      pod(),
      "b",
    ],
    [
      "untolerated",
      [node("a", { spec: { taints: [{ key: "k", effect: "NoSchedule" }] } })],
      [],
      pod(),
      refusedBy(1, "1 node(s) had untolerated taint(s)", notHelpful(1)),
    ],
    [
      "tolerated",
      [node("a", { spec: { taints: [{ key: "k", effect: "NoSchedule" }] } })],
      [],
      pod({ spec: { tolerations: [{ operator: "Exists" }] } }),
      "a",
    ],
    [
      "selector",
      [node("a")],
      [],
      pod({ spec: { nodeSelector: { disk: "ssd" } } }),
      refusedBy(1, "1 node(s) didn't match Pod's node affinity/selector", notHelpful(1)),
    ],
    [
      "host port",
      [node("a")],
      [pod({ on: "a", spec: { containers: [{ name: "c", ports: [{ hostPort: 80, containerPort: 80 }] }] } })],
      pod({ spec: { containers: [{ name: "c", ports: [{ hostPort: 80, containerPort: 80 }] }] } }),
      refusedBy(1, "1 node(s) didn't have free ports for the requested pod ports", noVictims(1)),
    ],
    ["away from others", zones, [pod({ on: "a", ...a })], pod({ spec: { affinity: anti } }), "b"],
    [
      "others want it away",
      [node("a")],
      [pod({ on: "a", spec: { affinity: anti } })],
      pod(a),
      refusedBy(1, "1 node(s) didn't satisfy existing pods anti-affinity rules", noVictims(1)),
    ],
    ["near others", zones, [pod({ on: "b", ...a })], pod({ spec: { affinity: near } }), "b"],
    [
      "near nobody",
      zones,
      [],
      pod({ spec: { affinity: near } }),
      refusedBy(2, "2 node(s) didn't match pod affinity rules", notHelpful(2)),
    ],
    ["the first of its kind", [zones[0]!], [], pod({ ...a, spec: { affinity: near } }), "a"],
    ["spread", zones, [pod({ on: "a", ...a })], pod({ ...a, spec: spread }), "b"],
    [
      "spread without the label",
      [node("a")],
      [],
      pod({ ...a, spec: spread }),
      refusedBy(
        1,
        "1 node(s) didn't match pod topology spread constraints (missing required label)",
        notHelpful(1),
      ),
    ],
    ["the emptier node", [node("a"), node("b")], [pod({ on: "a", cpu: "3" })], pod({ cpu: "500m" }), "b"],
  ]
  for (const [what, nodes, running, wanted, expected] of cases)
    assert.equal(await run(nodes, running, wanted), expected, what)
})

test("the cache counts a pod once, through assume, confirmation and removal", () => {
  const cache = new ClusterCache()
  const one = pod({ name: "one", cpu: "1" })
  const assigned = pod({ name: "one", cpu: "1", on: "a" })
  cache.assume(assigned)
  cache.setNode(node("a"))
  const cpu = (): number => cache.snapshot().get("a")!.requested["cpu"] ?? 0
  assert.equal(cpu(), 1000)
  cache.setPod(one)
  assert.equal(cpu(), 1000)
  cache.setPod(assigned)
  assert.equal(cpu(), 1000)
  cache.removePod(one)
  assert.equal(cpu(), 0)
  cache.assume(assigned)
  cache.forget(one)
  assert.equal(cpu(), 0)
})
