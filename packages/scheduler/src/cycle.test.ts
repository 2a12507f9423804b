import assert from "node:assert/strict"
import { test } from "node:test"
import type { Node, Pod } from "@knarr/api"
import { ClusterCache, podInfoOf } from "./index.ts"
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
const restartingAll = {
  containers: [{ name: "c", image: "c", restartPolicyRules: [{ action: "RestartAllContainers" }] }],
}
const declaring = (name: string, ...declaredFeatures: string[]): Node => {
  const one = node(name)
  return { ...one, status: { ...one.status, declaredFeatures } }
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
      "a feature that one node has",
      [node("a"), declaring("b", "RestartAllContainersOnContainerExits")],
      [],
      pod({ spec: restartingAll }),
      "b",
    ],
    [
      "a feature that no node has",
      [node("a")],
      [],
      pod({ spec: restartingAll }),
      refusedBy(1, "1 node(s) didn't match Pod's required features", notHelpful(1)),
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

test("a what-if on clones is what the cluster would be, and leaves the snapshot as it was", () => {
  const labelled = ["a", "b", "c"].map((app) => ({ app }))
  const nodes = Array.from({ length: 6 }, (_, i) =>
    node(`n${i}`, { labels: { zone: `z${i % 3}` }, cpu: "2" }),
  )
  const specs: Parameters<typeof podOf>[0][] = [
    { spec: { affinity: anti } },
    { spec: { affinity: near } },
    { ...a, spec: { affinity: near } },
    { ...a, spec: spread },
    { ...a, cpu: "1500m" },
    { spec: { containers: [{ name: "c", ports: [{ hostPort: 80, containerPort: 80 }] }] } },
  ]
  const running = Array.from({ length: 18 }, (_, i) =>
    pod({
      name: `r${i}`,
      on: `n${Math.floor(i / 3)}`,
      cpu: i % 4 === 0 ? "700m" : "10m",
      labels: labelled[i < 9 ? i % 3 : 1 + (i % 2)]!,
      spec: i % 5 === 0 ? { affinity: anti } : i % 7 === 1 ? specs.at(-1)!.spec! : {},
    }),
  )
  const schedulerOf = (pods: readonly Pod[]): OfflineScheduler => {
    const scheduler = new OfflineScheduler()
    for (const one of nodes) scheduler.cache.setNode(one)
    for (const one of pods) scheduler.cache.setPod(one)
    return scheduler
  }
  const answers = (scheduler: OfflineScheduler, wanted: Pod): string[] => {
    const state = scheduler.state()
    const { refusal } = scheduler.profile.preFilter(state, wanted)
    assert.equal(refusal, undefined)
    return state.snapshot.nodes.map((one) => scheduler.profile.filter(state, wanted, one)?.message ?? "fits")
  }
  const moved = new Set<unknown>()
  for (const spec of specs) {
    const wanted = pod({ ...spec, name: "wanted" })
    for (const gone of running) {
      const others = running.filter((one) => one !== gone)
      const [all, without] = [schedulerOf(running), schedulerOf(others)]
      const [before, after] = [answers(all, wanted), answers(without, wanted)]
      if (before.join() !== after.join()) moved.add(spec)
      for (const [from, scheduler, step, expected] of [
        ["with it", all, "removePod", after],
        ["without it", without, "addPod", before],
      ] as const) {
        const state = scheduler.state()
        scheduler.profile.preFilter(state, wanted)
        const what = state.clone()
        const changed = state.snapshot.get(gone.spec.nodeName!)!.clone()
        scheduler.profile[step](what, wanted, podInfoOf(gone), changed)
        const said = state.snapshot.nodes.map(
          (one) =>
            scheduler.profile.filter(what, wanted, one.name === changed.name ? changed : one)?.message ??
            "fits",
        )
        assert.deepEqual(said, expected, `${JSON.stringify(spec)} ${from}: ${gone.metadata.name}`)
        assert.deepEqual(answers(scheduler, wanted), from === "with it" ? before : after)
      }
    }
  }
  assert.deepEqual([...moved], specs, "some pod makes a difference to each")
})

test("a nominated pod counts for those of the same and lower priority, and its node is tried first", async () => {
  const important = pod({ name: "important", cpu: "3", spec: { priority: 10 } })
  const cases: [string, number, string][] = [
    ["lower", 0, refusedBy(1, "1 Insufficient cpu", noVictims(1))],
    ["the same", 10, refusedBy(1, "1 Insufficient cpu", noVictims(1))],
    ["higher", 20, "a"],
  ]
  for (const [what, priority, expected] of cases) {
    const scheduler = new OfflineScheduler()
    scheduler.cache.setNode(node("a"))
    scheduler.nominator.set(important, "a")
    assert.equal(await scheduler.outcome(pod({ cpu: "2", spec: { priority } })), expected, what)
    scheduler.nominator.set(important, "")
    assert.equal(await scheduler.outcome(pod({ cpu: "2", spec: { priority } })), "a", `${what}, taken back`)
  }
  const scheduler = new OfflineScheduler()
  for (const name of ["a", "b", "c"]) scheduler.cache.setNode(node(name))
  scheduler.cache.setPod(pod({ on: "b", cpu: "3" }))
  assert.equal(await scheduler.outcome(pod({ status: { nominatedNodeName: "b" } })), "b")
})

test("a snapshot does not change until the next one is taken", () => {
  const cache = new ClusterCache()
  for (const name of ["a", "b"]) cache.setNode(node(name))
  const snapshot = cache.snapshot()
  const seen = (): unknown[] =>
    snapshot.nodes.map((one) => [one.name, one.pods.size, one.requested["cpu"] ?? 0, one.labels["zone"]])
  const before = seen()
  const changes: [string, () => void][] = [
    ["a pod comes", () => cache.setPod(pod({ name: "p", on: "a", cpu: "1" }))],
    ["a pod is assumed", () => cache.assume(pod({ name: "q", on: "b", cpu: "1", spec: { affinity: anti } }))],
    ["a node changes", () => cache.setNode(node("a", { labels: { zone: "z" } }))],
    ["a node goes", () => cache.removeNode("b")],
    ["a node comes", () => cache.setNode(node("c"))],
  ]
  for (const [what, change] of changes) {
    change()
    assert.deepEqual(seen(), before, what)
  }
  cache.snapshot()
  assert.deepEqual(seen(), [
    ["a", 1, 1000, "z"],
    ["c", 0, 0, undefined],
  ])
  assert.deepEqual([...snapshot.requiredAntiAffinity()], [])
})
