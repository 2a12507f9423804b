import assert from "node:assert/strict"
import { test } from "node:test"
import { randomInt, seededRandom } from "@knarr/base"
import type { Node, Pod } from "@knarr/api"
import { nodeOf, podOf } from "../testing.ts"
import { ClusterCache } from "./cluster-cache.ts"
import type { TallySpec, TermTally } from "./pod-tallies.ts"
import type { Snapshot } from "./snapshot.ts"

const anti = (app: string, topologyKey: string): object => ({
  topologyKey,
  labelSelector: { matchLabels: { app } },
})
const affinities: readonly object[] = [
  {},
  { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [anti("a", "zone")] } },
  { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [anti("b", "kubernetes.io/hostname")] } },
  {
    podAntiAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 3, podAffinityTerm: anti("a", "zone") }],
    },
  },
]
const specs: readonly TallySpec[] = ["zone", "kubernetes.io/hostname"].map((topologyKey) => ({
  key: "app a",
  topologyKey,
  includes: (node) => node.labels["closed"] === undefined,
  count: (node) => [...node.pods.values()].filter(({ pod }) => pod.metadata.labels?.["app"] === "a").length,
}))

function seen(snapshot: Snapshot): object {
  const sorted = (counts: ReadonlyMap<string, number>): object =>
    [...counts].sort(([a], [b]) => (a < b ? -1 : 1))
  const terms = (tallies: Iterable<TermTally>): object =>
    [...tallies]
      .map(({ term, counts, total }) => ({ key: term.key, counts: sorted(counts), total }))
      .sort((a, b) => (a.key < b.key ? -1 : 1))
  return {
    tallies: specs.map((spec) => {
      const { counts, total } = snapshot.tally(spec)
      return [sorted(counts), total]
    }),
    refused: terms(snapshot.requiredAntiAffinity()),
    required: terms(snapshot.requiredAffinity()),
    preferred: terms(snapshot.preferredTerms()),
  }
}

test("what is kept between snapshots is what counting anew gives, whatever happens to nodes and pods", () => {
  const random = seededRandom(11)
  const pick = <T>(list: readonly T[]): T => list[randomInt(random, list.length)]!
  const cache = new ClusterCache()
  const nodes = new Map<string, Node>()
  const pods = new Map<string, Pod>()
  const setNode = (): void => {
    const name = `n${randomInt(random, 8)}`
    const labels = { ...pick([{}, { zone: "z1" }, { zone: "z2" }]), ...pick([{}, {}, { closed: "" }]) }
    const node = nodeOf(name, { labels })
    nodes.set(name, node)
    cache.setNode(node)
  }
  const removeNode = (): void => {
    const name = `n${randomInt(random, 8)}`
    if (nodes.delete(name)) cache.removeNode(name)
  }
  const setPod = (): void => {
    const name = `p${randomInt(random, 30)}`
    const on = `n${randomInt(random, 8)}`
    const pod = podOf({ name, on, labels: { app: pick(["a", "b"]) }, spec: { affinity: pick(affinities) } })
    pods.set(name, pod)
    if (randomInt(random, 2) === 0) cache.assume(pod)
    cache.setPod(pod)
  }
  const removePod = (): void => {
    const name = `p${randomInt(random, 30)}`
    const pod = pods.get(name)
    if (pod) cache.removePod(pod)
    pods.delete(name)
  }
  let compared = 0
  for (let round = 0; round < 300; round++) {
    for (let i = randomInt(random, 6); i >= 0; i--)
      pick([
        setNode,
        setPod,
        setPod,
        setPod,
        removePod,
        ...(randomInt(random, 5) === 0 ? [removeNode] : []),
      ])()
    // Not every snapshot is asked, so that some changes are caught up with later.
    const snapshot = cache.snapshot()
    if (randomInt(random, 3) === 0) continue
    const fresh = new ClusterCache()
    for (const node of nodes.values()) fresh.setNode(node)
    for (const pod of pods.values()) fresh.setPod(pod)
    assert.deepEqual(seen(snapshot), seen(fresh.snapshot()), `round ${round}`)
    compared++
  }
  assert.ok(compared > 100)
})
